//! The task kinds that are written in the flow language and come with the program.

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        /// Each kind's name and the text of its file, by name.
        pub const LIBRARY: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../stdlib-tasks/", $name, ".task.yaml")))),*
        ];
    };
}

library![
    "archive_extract",
    "docker_run",
    "download",
    "file_copy",
    "file_write",
    "git_clone",
    "mkdir",
    "rsync",
    "service",
    "ssh_exec",
    "symlink",
    "systemd_unit",
    "template",
    "wait_for_http",
    "wait_for_port",
    "webhook",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_library_is_in_it() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib-tasks");
        let files = std::fs::read_dir(folder).unwrap();
        let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = files
            .filter_map(|file| file.strip_suffix(".task.yaml").map(str::to_owned))
            .collect();
        names.sort();
        let listed: Vec<_> = LIBRARY.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, names);
    }
}
