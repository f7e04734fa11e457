//! The file `proof.json`: a certificate that a network computes a program, with the program and its language: enough
//! for `ventris check --proof` to decide, from the network's folder, whether it holds.

use check::{Arithmetic, Asked, BoxNode, Boxes, Classes, End, Moving, Proof, Proofs, Question, Regions};
use dsl::{Language, Term};
use samples::{Decode, Domain};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::hypothesis::LanguageFile;
use crate::result::counterexample;
use crate::values::{input_json, rounded};

/// A proof as a file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// How it proves: see [`proof_kind`].
    pub kind: String,
    /// For which sequences: `all lengths` or `length <= N`.
    pub scope: String,
    /// `float32`: any evaluation in single or higher precision, in any order of summation, and exact arithmetic;
    /// `real`: exact arithmetic alone.
    pub arithmetic: String,
    /// How far an output in single precision is at most from the same in exact arithmetic, on inputs of the domain; null where
    /// that is not known.
    pub gap: Option<f64>,
    /// The program.
    pub program: String,
    /// The language that it is written in.
    pub dsl: LanguageFile,
    /// Where the hidden states lie, or what a solver is asked.
    pub regions: RegionsFile,
}

/// See [`check::Regions`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum RegionsFile {
    /// See [`check::Boxes`].
    Boxes {
        /// Bases of the hidden space, row by row.
        bases: Vec<Vec<f64>>,
        /// Into how many pieces regions are cut.
        pieces: usize,
        /// The first is where sequences start.
        nodes: Vec<NodeFile>,
    },
    /// See [`check::Moving`].
    Moving {
        /// `d * n` numbers, row by row.
        matrix: Vec<f64>,
        /// The offsets after the first steps.
        offsets: Vec<Vec<f64>>,
        /// The basis, row by row.
        basis: Vec<f64>,
        /// The region of the coordinates.
        region: Vec<[f64; 2]>,
        /// The ranges of the states.
        ranges: Vec<[i64; 2]>,
    },
    /// See [`check::Question`].
    Question {
        /// What the solver may spend on one step.
        resources: u32,
        /// The question, SMT-LIB.
        text: String,
    },
    /// See [`check::Classes`].
    Classes {
        /// By how much outputs are told apart.
        margin: f64,
        /// Outputs that are compared.
        cells: usize,
    },
}

/// See [`check::BoxNode`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// The codes of the program's state.
    pub state: Vec<i64>,
    /// Which basis.
    pub basis: usize,
    /// The coordinates in it.
    pub region: Vec<[f64; 2]>,
    /// Successors by element.
    pub next: Vec<usize>,
}

/// How a certificate proves.
pub fn proof_kind(proof: &Proof) -> &'static str {
    match (&proof.regions, proof.length) {
        (Regions::Boxes(_), None) => "induction over boxes of hidden states",
        (Regions::Boxes(_), Some(_)) => "boxes of hidden states, step by step",
        (Regions::Moving(_), None) => "induction over a box that moves with the state",
        (Regions::Moving(_), Some(_)) => "a box that moves with the state, step by step",
        (Regions::Question(_), None) => "a solver over the reals, asked about one element",
        (Regions::Question(_), Some(_)) => "a solver over the reals, asked step by step",
        (Regions::Classes(_), _) => "all classes of inputs, followed through network and program",
    }
}

/// For which sequences a certificate proves.
pub fn proof_scope(proof: &Proof) -> String {
    proof.length.map_or_else(|| "all lengths".to_owned(), |length| format!("length <= {length}"))
}

/// Which arithmetic a certificate speaks of.
pub fn proof_arithmetic(proof: &Proof) -> &'static str {
    match proof.arithmetic {
        Arithmetic::Float32 => "float32",
        Arithmetic::Real => "real",
    }
}

/// What a finite bound on rounding errors does not say, where it says nothing of how outputs are read.
fn gap_note(proof: &Proof, domain: &Domain) -> Option<&'static str> {
    let gap = proof.gap.ok()?;
    let told_apart = match (&proof.regions, &domain.decode) {
        (Regions::Classes(classes), _) => classes.margin,
        // Numbers that are rounded.
        (_, Decode::Round) => 1.0,
        (_, Decode::Argmax(_)) => {
            return Some(match proof.arithmetic {
                Arithmetic::Real => "classes may be told apart by less, so it says nothing of single precision",
                Arithmetic::Float32 if gap >= 1.0 => {
                    "classes may be told apart by less; that both are read as the program's class is what the proof says"
                }
                Arithmetic::Float32 => return None,
            });
        }
        _ => return None,
    };
    match proof.arithmetic {
        Arithmetic::Real if gap >= told_apart => {
            Some("that is no less than what outputs are told apart by, so it says nothing of single precision")
        }
        Arithmetic::Float32 if gap >= told_apart && domain.decode == Decode::Round => {
            Some("no more than that both are read as the program's number, as the proof says")
        }
        _ => None,
    }
}

/// What a result says of a proof.
pub(crate) fn proof_evidence(proofs: &Proofs, domain: &Domain) -> Json {
    let proof = &proofs.best;
    let mut evidence = json!({
        "kind": proof_kind(proof),
        "scope": proof_scope(proof),
        "arithmetic": proof_arithmetic(proof),
        "gap": proof.gap.ok().map(rounded),
    });
    if let Err(reason) = proof.gap {
        evidence["gap_reason"] = reason.into();
    }
    if let Some(note) = gap_note(proof, domain) {
        evidence["gap_note"] = note.into();
    }
    match &proof.regions {
        Regions::Boxes(boxes) => evidence["regions"] = boxes.nodes.len().into(),
        Regions::Moving(_) => evidence["regions"] = 1.into(),
        Regions::Question(_) => {}
        Regions::Classes(classes) => {
            evidence["margin"] = rounded(classes.margin).into();
            evidence["cells"] = classes.cells.into();
        }
    }
    if let Some(length) = proofs.float32 {
        evidence["float32"] = format!("length <= {length}").into();
    }
    evidence
}

/// What a result says of the questions that a solver was asked.
pub(crate) fn solver_evidence(asked: &Asked, domain: &Domain) -> Json {
    let scope = asked.length().map_or_else(|| "all lengths".to_owned(), |length| format!("length <= {length}"));
    let mut evidence = json!({ "proved": scope });
    match &asked.end {
        End::Reached => evidence["answer"] = "proved".into(),
        End::Undecided { length, reason } => {
            evidence["answer"] = "undecided".into();
            evidence["reason"] = format!("for {length} elements: {reason}").into();
        }
        End::Differs { found, clear } => {
            evidence["answer"] = if *clear { "differs" } else { "differs within rounding" }.into();
            evidence["counterexample"] = json!(counterexample(found, domain));
        }
        End::DiffersOverReals(input) => {
            evidence["answer"] = "differs over the reals".into();
            evidence["input"] = input_json(domain, input, 0);
        }
    }
    evidence
}

impl ProofFile {
    /// The file of a proof.
    pub fn new(proof: &Proof, program: &Term, language: &Language, dsl: &LanguageFile) -> Self {
        let regions = match proof.regions.clone() {
            Regions::Boxes(Boxes { bases, pieces, nodes }) => RegionsFile::Boxes {
                bases,
                pieces,
                nodes: nodes
                    .into_iter()
                    .map(|BoxNode { state, basis, region, next }| NodeFile { state, basis, region, next })
                    .collect(),
            },
            Regions::Moving(Moving { matrix, offsets, basis, region, ranges }) => {
                RegionsFile::Moving { matrix, offsets, basis, region, ranges }
            }
            Regions::Question(Question { resources, text }) => RegionsFile::Question { resources, text },
            Regions::Classes(Classes { margin, cells }) => RegionsFile::Classes { margin, cells },
        };
        Self {
            schema: crate::SCHEMA,
            kind: proof_kind(proof).to_owned(),
            scope: proof_scope(proof),
            arithmetic: proof_arithmetic(proof).to_owned(),
            gap: proof.gap.ok(),
            program: dsl::print(program, language),
            dsl: dsl.clone(),
            regions,
        }
    }

    /// The certificate.
    ///
    /// # Errors
    /// A file that does not say what it proves, or claims what no certificate of its kind proves.
    pub fn proof(&self) -> Result<Proof, String> {
        let length = match self.scope.strip_prefix("length <= ") {
            Some(number) => {
                Some(number.parse::<usize>().map_err(|_| format!("the scope `{}` is no length", self.scope))?)
            }
            None if self.scope == "all lengths" => None,
            None => return Err(format!("expected the scope `all lengths` or `length <= N`, found `{}`", self.scope)),
        };
        let regions = match self.regions.clone() {
            RegionsFile::Boxes { bases, pieces, nodes } => Regions::Boxes(Boxes {
                bases,
                pieces,
                nodes: nodes
                    .into_iter()
                    .map(|NodeFile { state, basis, region, next }| BoxNode { state, basis, region, next })
                    .collect(),
            }),
            RegionsFile::Moving { matrix, offsets, basis, region, ranges } => {
                Regions::Moving(Moving { matrix, offsets, basis, region, ranges })
            }
            RegionsFile::Question { resources, text } => Regions::Question(Question { resources, text }),
            RegionsFile::Classes { margin, cells } => Regions::Classes(Classes { margin, cells }),
        };
        let arithmetic = match self.arithmetic.as_str() {
            "float32" => Arithmetic::Float32,
            "real" => Arithmetic::Real,
            other => return Err(format!("expected the arithmetic `float32` or `real`, found `{other}`")),
        };
        let proof = Proof { arithmetic, length, gap: self.gap.ok_or("none is claimed"), regions };
        if self.kind != proof_kind(&proof) {
            return Err(format!("expected the kind `{}`, found `{}`", proof_kind(&proof), self.kind));
        }
        Ok(proof)
    }
}
