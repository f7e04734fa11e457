//! Results as JSON and as text.
//!
//! The only crate beside `cli` that knows JSON. What is printed is described by `schema/decipher.schema.json` of the
//! repository and has a version, [`SCHEMA`]; a change that a reader could notice raises it.

mod hypothesis;
mod proof;
mod result;
mod text;
mod values;

pub use hypothesis::{HypothesisFile, LanguageFile};
pub use proof::{NodeFile, ProofFile, RegionsFile, proof_arithmetic, proof_kind, proof_scope};
pub use result::{
    AblationEvidence, AgreementEvidence, Aligned, BesideEvidence, BeyondEvidence, CheckResult, CircuitEvidence,
    ControlsEvidence, CounterexampleReport, DecipherResult, DescriptionEvidence, DslCheckResult, Evidence,
    FamilyEvidence, Files, FullControl, InferResult, InferredRuleResult, InterchangeEvidence, OperatorResult,
    ProofCheckResult, RivalEvidence, RivalsEvidence, RuleResult, ScrubEvidence, ScrubResult, Seconds, SelfTestResult,
    SynthAll, SynthBound, SynthConstants, SynthFit, SynthFunction, SynthResult, TableReport, TraceResult,
};
pub use text::{check_text, decipher_text, dsl_check_text, infer_text, proof_check_text, scrub_text};
pub use values::{input_json, value_json};

/// The version of everything that is printed as JSON.
pub const SCHEMA: u32 = 1;

/// The JSON Schema of what `ventris decipher --format json` prints.
pub const DECIPHER_SCHEMA: &str = include_str!("../../../schema/decipher.schema.json");
