//! What an inference depends on, as text: the same text, the same rules.

use std::fmt::Write as _;

use dsl::Language;

use super::InferConfig;

/// Raised whenever the loop would find other rules for the same language.
const VERSION: u32 = 2;

/// The operators, sorts and constants of a language and the configuration in one text. Comments, layout, rules, facts and
/// forms have no part in it, since inference does not look at them.
pub fn infer_key(language: &Language, config: &InferConfig) -> String {
    let mut text = format!("{VERSION} {config:?}\n");
    for declared in &language.enums {
        let _ = writeln!(text, "sort {} {:?}", declared.name, declared.values);
    }
    for group in &language.constants.groups {
        let values: Vec<String> = group.values.iter().map(|value| dsl::print_value(*value)).collect();
        let _ = writeln!(text, "constants {} {} {}", group.sort, group.cost, values.join(" "));
    }
    for (_, operator) in language.operators() {
        let _ = write!(text, "operator {} {} {}", operator.name, operator.cost, operator.result);
        operator.params.iter().for_each(|(name, sort)| _ = write!(text, " ({name} {sort})"));
        let meaning = dsl::print(&operator.meaning, language);
        let condition = operator.condition.as_ref().map(|condition| dsl::print(condition, language));
        let _ = writeln!(text, " {meaning} {}", condition.unwrap_or_default());
    }
    text
}
