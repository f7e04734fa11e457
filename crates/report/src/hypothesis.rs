//! The file `hypothesis.json`: a program with its alignment and the language both are written in, enough to be tested
//! again by `ventris scrub` and `ventris check`.

use decipher::Hypothesis;
use dsl::{Diagnostics, Language};
use samples::{Sort, Symbol};
use serde::{Deserialize, Serialize};

use crate::result::Aligned;
use crate::values::rounded;

/// A hypothesis as a file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HypothesisFile {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The program.
    pub program: String,
    /// The language that the program and the subterms are written in.
    pub dsl: LanguageFile,
    /// Which site carries which subterm.
    pub alignment: Vec<Aligned>,
    /// The edges that the program implies; absent for recurrent networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Vec<(String, String)>>,
}

/// The text of a language, with all that it includes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageFile {
    /// The DSL text.
    pub root: String,
    /// What it includes, by the name it includes it by; shipped DSLs need not be listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub includes: Vec<(String, String)>,
}

impl LanguageFile {
    /// Reads the language.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn language(&self) -> Result<Language, Diagnostics> {
        let include = |name: &str| {
            let own = self.includes.iter().find(|(own, _)| own == name).map(|(_, text)| text.clone());
            own.or_else(|| Language::shipped(name).map(str::to_owned))
        };
        Language::parse("dsl of the hypothesis", &self.root, &include)
    }
}

impl HypothesisFile {
    /// The file of a hypothesis.
    pub fn new(hypothesis: &Hypothesis, language: &Language, dsl: &LanguageFile) -> Self {
        Self {
            schema: crate::SCHEMA,
            program: dsl::print(&hypothesis.program, language),
            dsl: dsl.clone(),
            alignment: alignment(hypothesis, language),
            circuit: hypothesis.circuit.clone(),
        }
    }

    /// The hypothesis, its terms read as programs over `inputs`; `origin` names the file in messages.
    ///
    /// # Errors
    /// Everything that is wrong with a term.
    pub fn hypothesis(
        &self,
        origin: &str,
        language: &Language,
        inputs: &[(Symbol, Sort)],
    ) -> Result<Hypothesis, Diagnostics> {
        let term = |part: &str, text: &str| dsl::parse_program(&format!("{origin}, {part}"), text, language, inputs);
        let read = |aligned: &Aligned| {
            Ok(decipher::Aligned {
                subterm: term(&format!("subterm at {}", aligned.site), &aligned.subterm)?,
                site: aligned.site.clone(),
                readout: if aligned.readout == "affine" { "affine" } else { "partition" },
                fit: aligned.fit,
            })
        };
        Ok(Hypothesis {
            program: term("program", &self.program)?,
            alignment: self.alignment.iter().map(read).collect::<Result<_, Diagnostics>>()?,
            circuit: self.circuit.clone(),
            source: "file",
        })
    }
}

/// The alignment of a hypothesis, as printed.
pub(crate) fn alignment(hypothesis: &Hypothesis, language: &Language) -> Vec<Aligned> {
    let printed = |aligned: &decipher::Aligned| Aligned {
        subterm: dsl::print(&aligned.subterm, language),
        site: aligned.site.clone(),
        readout: aligned.readout.to_owned(),
        fit: rounded(aligned.fit),
    };
    hypothesis.alignment.iter().map(printed).collect()
}
