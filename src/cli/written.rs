//! Where in the flow's files it is written that could not be worked out.
//!
//! A job and a failure enter, the path, the line and the column leave.

use super::source::check;
use crate::model::{Bundle, Failure, FailureKind};
use crate::rehearsal::Places;
use crate::syntax::LineIndex;

/// The place of the expression that a failure is about, or that of its task if the expression is not found there;
/// `None` for a failure of another kind.
#[must_use]
pub fn place(bundle: &Bundle, failure: &Failure) -> Option<String> {
    if failure.kind != FailureKind::Template {
        return None;
    }
    let (declaration, _) = check(bundle).0?;
    let task = Places::new(bundle, &declaration).of(&failure.task)?;
    let file = bundle.files.iter().find(|file| file.path == task.path)?;
    let lines = LineIndex::new(&file.text);
    let start = lines.line(task.line).as_ptr() as usize - file.text.as_ptr() as usize;
    let expression = failure.message.split('`').nth(1).unwrap_or_default();
    let found = file.text.get(start..)?.find(expression);
    let exact = found.filter(|_| !expression.is_empty());
    let exact = exact.and_then(|at| u32::try_from(start + at).ok());
    let (line, column) = exact.map_or((task.line, task.column), |at| {
        let place = lines.position(at);
        (place.line, place.column)
    });
    Some(format!("{}:{line}:{column}", task.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;

    #[test]
    fn the_place_is_the_expressions_own_behind_the_name_of_its_task() {
        let text = "store: { n: 1 }\ntasks:\n  a: { shell: \"echo {{ n }}\", provides: m }\n  ü:\n    shell: x\n  d:\n    needs: [a]\n    shell: |\n      echo ü {{ m }} {{ m + n }}\n";
        let file = |text: &str| SourceFile {
            path: "r.flow.yaml".to_owned(),
            text: text.replace("ü:", "u:"),
        };
        let bundle = Bundle {
            version: 1,
            files: vec![file(text)],
        };
        let failure = |task: &str, message: &str| Failure {
            task: task.to_owned(),
            ..Failure::new(FailureKind::Template, message)
        };
        let at = |task: &str, message: &str| place(&bundle, &failure(task, message));
        assert_eq!(at("d", "`m + n`: why").as_deref(), Some("r.flow.yaml:9:25"));
        assert_eq!(at("d", "`gone`: why").as_deref(), Some("r.flow.yaml:6:3"));
        assert_eq!(at("nobody", "`m`: why"), None);
        let exit = Failure::new(FailureKind::Exit, "exited with code 1");
        assert_eq!(place(&bundle, &exit), None);
    }
}
