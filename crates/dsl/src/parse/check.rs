//! Tests that a DSL file holds of itself.

use samples::Sort;

use crate::diagnostic::Source;
use crate::infer::{Infer, Ty};
use crate::language::SelfTest;
use crate::sexpr::Sexpr;

use super::file::Builder;
use super::tail;
use super::term::Mode;

impl Builder<'_> {
    /// `(check TERM ...)`, `(fail TERM ...)` or, as egglog has it, `(fail (check TERM))`.
    pub(super) fn check(&mut self, source: Source<'_>, items: &[Sexpr], holds: bool) {
        for item in items {
            match item.list() {
                Some(list) if !holds && list.first().and_then(Sexpr::symbol) == Some("check") => {
                    self.check(source, tail(list), false);
                }
                _ => self.check_one(source, item, holds),
            }
        }
    }

    fn check_one(&mut self, source: Source<'_>, item: &Sexpr, holds: bool) {
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Check);
        let term = parser.term(item);
        if let Some(term) = &term {
            let mut infer = Infer::new(&language);
            let found = infer.infer(term);
            infer.expect(term, found, Ty::Sort(Sort::Bool), || "the check".to_owned());
            parser.report_sorts(&infer, item.span);
        }
        let problems = parser.finish();
        self.language = language;
        let place = source.place(item.span);
        let fits = problems.is_empty();
        self.problems.extend(problems);
        self.language.checks.extend(term.filter(|_| fits).map(|term| SelfTest { term, holds, place }));
    }
}
