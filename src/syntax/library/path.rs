//! Where a flow or a task kind is looked for, by what it is called.
//!
//! The path of a file and a name in it enter, paths leave. They are paths as the author would name them; nothing is
//! looked at.

/// Before the names of flows that stand in the folders of the flows path.
pub const FLOWS: &str = "flows:";

/// Before the names of files that come with the program.
pub const EMBEDDED: &str = "jobrunner:";

const FLOW_ENDINGS: [&str; 3] = [".flow.yaml", ".flow.yml", ".flow"];
const KIND_ENDINGS: [&str; 3] = [".task.yaml", ".task.yml", ".task"];

/// Whether a file of that path holds a task kind.
#[must_use]
pub fn is_task_kind(path: &str) -> bool {
    KIND_ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// A file's name without its folder and ending: `deploy` of `flows/deploy.flow.yaml`.
#[must_use]
pub fn file_stem(path: &str) -> &str {
    let file = path.rsplit(['/', '\\', ':']).next().unwrap_or(path);
    let endings = FLOW_ENDINGS.iter().chain(&KIND_ENDINGS);
    endings
        .chain(&[".yaml", ".yml"])
        .find_map(|ending| file.strip_suffix(ending))
        .unwrap_or(file)
}

/// The paths at which a flow may stand that the file at `from` calls so; the first that is there is meant.
pub(super) fn flow_paths(from: &str, reference: &str) -> Vec<String> {
    let folder = folder(from);
    let is_path = reference.contains('/')
        || FLOW_ENDINGS
            .iter()
            .any(|ending| reference.ends_with(ending));
    if is_path {
        return vec![join(folder, reference)];
    }
    let named =
        |folder: &str| FLOW_ENDINGS.map(|ending| join(folder, &format!("{reference}{ending}")));
    let beside = named(folder).into_iter();
    beside
        .chain(named(FLOWS))
        .chain([format!("{EMBEDDED}{reference}.flow.yaml")])
        .collect()
}

/// The path of the file of text that the file at `from` calls so.
pub(super) fn file_path(from: &str, path: &str) -> String {
    join(folder(from), path)
}

/// The same for a task kind.
pub(super) fn kind_paths(from: &str, name: &str) -> Vec<String> {
    let folder = match is_task_kind(from) {
        true => folder(from).to_owned(),
        false => join(folder(from), "tasks"),
    };
    let beside = KIND_ENDINGS.map(|ending| join(&folder, &format!("{name}{ending}")));
    let mut paths: Vec<_> = beside.into_iter().collect();
    let embedded = format!("{EMBEDDED}tasks/{name}.task.yaml");
    if !paths.contains(&embedded) {
        paths.push(embedded);
    }
    paths
}

/// A file's folder, as it is written: empty, `flows`, `..`, `/srv/flows`, `flows:`.
fn folder(path: &str) -> &str {
    match path.rfind(['/', ':']) {
        Some(at) if path[at..].starts_with(':') => &path[..=at],
        Some(0) => "/",
        Some(at) => &path[..at],
        None => "",
    }
}

/// A path from a folder, without `.` and with as few `..` as can be.
fn join(folder: &str, path: &str) -> String {
    let (home, folder) = match [FLOWS, EMBEDDED]
        .iter()
        .find(|home| folder.starts_with(*home))
    {
        Some(home) => (*home, &folder[home.len()..]),
        None => ("", folder),
    };
    if path.starts_with('/') {
        return path.to_owned();
    }
    let absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let root = if absolute { "/" } else { "" };
    format!("{home}{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_an_author_would_write_them() {
        for (from, reference, path) in [
            ("a.flow.yaml", "b.flow.yaml", "b.flow.yaml"),
            ("./a.flow.yaml", "./b.flow.yaml", "b.flow.yaml"),
            ("x/a.flow.yaml", "y/b.flow.yaml", "x/y/b.flow.yaml"),
            ("x/a.flow.yaml", "../b.flow", "b.flow"),
            ("../a.flow.yaml", "../b.flow", "../../b.flow"),
            ("/x/a.flow.yaml", "../../../b.flow", "/b.flow"),
            ("x/a.flow.yaml", "/etc/b.flow.yaml", "/etc/b.flow.yaml"),
            ("flows:a.flow.yaml", "./b.flow", "flows:b.flow"),
            ("a.flow.yaml", "b", "b.flow.yaml"),
        ] {
            assert_eq!(flow_paths(from, reference)[0], path, "{from} {reference}");
        }
        assert_eq!(
            flow_paths("x/a.flow.yaml", "b")[2..],
            [
                "x/b.flow",
                "flows:b.flow.yaml",
                "flows:b.flow.yml",
                "flows:b.flow",
                "jobrunner:b.flow.yaml"
            ]
        );
        assert_eq!(
            kind_paths("x/a.flow.yaml", "b")[2..],
            ["x/tasks/b.task", "jobrunner:tasks/b.task.yaml"]
        );
        assert_eq!(
            kind_paths("x/tasks/a.task.yaml", "b")[0],
            "x/tasks/b.task.yaml"
        );
        assert_eq!(
            kind_paths("jobrunner:tasks/a.task.yaml", "b")[0],
            "jobrunner:tasks/b.task.yaml"
        );
    }
}
