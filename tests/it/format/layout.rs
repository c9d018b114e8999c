//! How a file is laid out.

use super::{converted, file, formatted};

/// Holds a file to its layout.
fn laid_out(path: &str, text: &str, expected: &str) {
    let found = formatted(&file(path, text)).expect("it can be read");
    assert_eq!(found, expected);
}

const YAML: &str = "a.flow.yaml";
const TEXT: &str = "a.flow";

#[test]
fn yaml_is_indented_and_keeps_its_comments_and_its_order() {
    laid_out(
        YAML,
        "\
# top

---
about:   'x'   # about it


tasks: # of tasks
    # before b
    b: # head b
        shell: | # header
            x
              y

        # end of b
    a: {sleep: 1s} # beside a

    # end of tasks
    c:
      tasks: # list
      - name: x # named
        # why
        sleep: 1s
      # between
      - # dash
        name: \"y\"
        exec:
        - plain
        # end of exec
        - >-
          folded
          text
    d:
        sleep:
          # before value
          1s # one second
        about: long
          text goes
          on
provides: [ x ]
# end",
        "\
# top

about: x # about it

tasks: # of tasks
  # before b
  b: # head b
    shell: | # header
      x
        y

    # end of b
  a: { sleep: 1s } # beside a

  # end of tasks
  c:
    tasks: # list
      - name: x # named
        # why
        sleep: 1s
      # between
      # dash
      - name: \"y\"
        exec:
          - plain
          # end of exec
          - >-
            folded
            text
  d:
    # before value
    sleep: 1s # one second
    about: long
      text goes
      on
provides: [x]
# end
",
    );
}

#[test]
fn quotes_stay_where_they_mean_something() {
    let list = |items: &[&str]| {
        let items = items.iter().map(|item| format!("  - {item}\n"));
        format!("a:\n{}", items.collect::<String>())
    };
    for (text, expected) in [
        ("'plain words'", "plain words"),
        ("\"a/b-c_d.e\"", "a/b-c_d.e"),
        ("'no'", "\"no\""),
        ("'0755'", "\"0755\""),
        ("\"1.10\"", "\"1.10\""),
        ("'1_000'", "\"1_000\""),
        ("'5'", "\"5\""),
        ("'true'", "\"true\""),
        ("''", "\"\""),
        ("'null'", "\"null\""),
        ("'{{ x }}'", "\"{{ x }}\""),
        ("'a: b'", "\"a: b\""),
        ("'a # b'", "\"a # b\""),
        ("'- a'", "\"- a\""),
        ("' a'", "\" a\""),
        // Signs that mean something elsewhere keep the quotes that they have, and need none.
        ("\"https://x.test\"", "\"https://x.test\""),
        ("https://x.test", "https://x.test"),
        ("'[0-9]+\\d'", "'[0-9]+\\d'"),
        ("\"say \\\"hi\\\"\"", "'say \"hi\"'"),
        ("\"it's \\\"\"", "\"it's \\\"\""),
        ("\"a\\nb\\t\\e\\x07\\u0085\"", "\"a\\nb\\t\\e\\x07\\x85\""),
        ("no", "no"),
        ("0755", "0755"),
        ("1.10", "1.10"),
        ("10s", "10s"),
    ] {
        laid_out(YAML, &list(&[text]), &list(&[expected]));
    }
}

#[test]
fn a_text_that_names_a_type_keeps_its_quotes() {
    laid_out(
        YAML,
        "store:\n  a: \"port\"\n  b: port\n",
        "store:\n  a: \"port\"\n  b: port\n",
    );
}

#[test]
fn brackets_are_one_line_if_that_fits_and_lines_if_not() {
    let long = "word ".repeat(18);
    let long = long.trim_end();
    laid_out(
        YAML,
        &format!("a: {{b: [1,2],c: {{}} , d: x}}\ne: {{ f: {long}, g: [1, 2] }}\n"),
        &format!("a: {{ b: [1, 2], c: {{}}, d: x }}\ne:\n  f: {long}\n  g: [1, 2]\n"),
    );
    laid_out(
        TEXT,
        &format!("flow{{a{{b=[1,2],c{{}}}}\ne {{ f = \"{long}\", g = [1\n2] }}\n}}\n"),
        &format!(
            "flow {{\n  a {{ b = [1, 2], c {{}} }}\n  e {{\n    f = \"{long}\"\n    g = [1, 2]\n  }}\n}}\n"
        ),
    );
    // What was begun in lines stays in lines.
    laid_out(YAML, "a: [\n 1, 2 ]\n", "a:\n  - 1\n  - 2\n");
    laid_out(
        TEXT,
        "flow {\na = [\n 1, 2 ]\nb {\n c = 1 }\n}\n",
        "flow {\n  a = [\n    1\n    2\n  ]\n  b {\n    c = 1\n  }\n}\n",
    );
}

#[test]
fn the_text_notation_keeps_its_comments_and_the_order_of_its_entries() {
    laid_out(
        TEXT,
        "\
# top

flow  x   { # head
  # first
  about = 'a'   # about it


  store { # of the store
      port: port = 8080   # --port
      size: size = 1GiB { # said
        min = 1MiB }
      hosts: list<string> = [ # long
        \"a\", # one
        \"b\" ]
      # dangling
  }
  task b { sleep = 1s } # beside b
  # between
  provides = [x] # printed
  task a {
  shell = \"\"\"
     x
       y
  \"\"\"  # behind
  when = (a or
     b)
    # end of a
  }
  capabilities=[ f(x),g , h(\"i\") ]
  tasks_of = [task c { sleep = 1s }]
  # end
}
# tail
",
        "\
# top

flow x { # head
  # first
  about = \"a\" # about it

  store { # of the store
    port: port = 8080 # --port
    size: size = 1GiB { # said
      min = 1MiB
    }
    hosts: list<string> = [ # long
      \"a\" # one
      \"b\"
    ]
    # dangling
  }
  task b { sleep = 1s } # beside b
  # between
  provides = [x] # printed
  task a {
    shell = \"\"\"
      x
        y
    \"\"\" # behind
    when = (a or
     b)
    # end of a
  }
  capabilities = [f(x), g, h(\"i\")]
  tasks_of = [task c { sleep = 1s }]
  # end
}
# tail
",
    );
}

#[test]
fn texts_of_lines_stay_as_they_are() {
    for block in [
        "|\n  a\n\n    b\n",
        "|-\n  a\n",
        "|+\n  a\n\n",
        ">\n  a\n  b\n",
        "|2\n    a\n",
        "|2-\n    a\n   b\n",
    ] {
        let text = format!("a: {block}b: 1\n");
        laid_out(YAML, &text, &text);
    }
    laid_out(
        YAML,
        "a:\n  - |\n      x\n  - &n |\n      # y\n  - *n\n",
        "a:\n  - |\n    x\n  - &n |\n    # y\n  - *n\n",
    );
    // A line of blanks alone at the end would get lost.
    laid_out(YAML, "a: \"x\\n  \\n\"\n", "a: \"x\\n  \\n\"\n");
    laid_out(
        TEXT,
        "flow { a = \"x\\ny\" }\n",
        "flow {\n  a = \"x\\ny\"\n}\n",
    );
}

#[test]
fn anchors_stay_and_are_written_out_in_the_other_notation() {
    let text = "a: &x { b: 1 }\nc: *x\nd: &y\n  - 1\ne: *y\nf: &z text\ng: [*z, &w u, *w]\n";
    laid_out(YAML, text, text);
    let other = converted(&file(YAML, text)).unwrap();
    assert_eq!(
        other.text,
        "flow {\n  a { b = 1 }\n  c { b = 1 }\n  d = [1]\n  e = [1]\n  f = \"text\"\n  g = [\"text\", \"u\", \"u\"]\n}\n"
    );
}

#[test]
fn yaml_becomes_what_an_author_of_the_text_notation_would_write() {
    let yaml = "\
# About it.

about: it
store:
  port: { type: port, about: Where, default: 8080 } # the port
  image: { default: web }
  env: { about: e, default: stage, one_of: [stage, prod] }
  publish: false
  repo: url
capabilities:
  - port_is_free: \"{{ port }}\"
  - has_gpu
tasks: # of these
  # the first
  a:
    needs: [b]
    exec: [echo, \"{{ port }}\", no, \"1\", 2]
    when: publish and x == \"y\"
    provides: { z: json.z }
    revert: echo {{ port }}
  b:
    tasks:
      # one
      - name: c # it
        sleep: 10s
  d: { http: { url: \"{{ repo }}/x\", check: json.ok, method: POST } }
# the last
";
    let text = "\
# About it.

flow {
  about = \"it\"
  store {
    port: port = 8080 { about = \"Where\" } # the port
    image = \"web\"
    env: one_of(\"stage\", \"prod\") = \"stage\" { about = \"e\" }
    publish = false
    repo: url
  }
  capabilities = [port_is_free(port), has_gpu]
  # of these
  # the first
  task a {
    needs = [b]
    exec = [\"echo\", port, \"no\", \"1\", 2]
    when = publish and x == \"y\"
    provides { z = json.z }
    revert = \"echo {{ port }}\"
  }
  task b {
    tasks = [
      # one
      task c { # it
        sleep = 10s
      }
    ]
  }
  task d { http { url = \"{{ repo }}/x\", check = json.ok, method = POST } }
  # the last
}
";
    let other = converted(&file(YAML, yaml)).unwrap();
    assert_eq!((other.path.as_str(), other.text.as_str()), ("a.flow", text));
    let back = converted(&other).unwrap();
    let expected = "\
# About it.

about: it
store:
  port: { type: port, default: 8080, about: Where } # the port
  image: { default: web }
  env: { one_of: [stage, prod], default: stage, about: e }
  publish: false
  repo: url
capabilities: [port_is_free: \"{{ port }}\", has_gpu]
tasks:
  # of these
  # the first
  a:
    needs: [b]
    exec: [echo, \"{{ port }}\", \"no\", \"1\", 2]
    when: publish and x == \"y\"
    provides: { z: json.z }
    revert: echo {{ port }}
  b:
    tasks:
      # one
      - name: c # it
        sleep: 10s
  d: { http: { url: \"{{ repo }}/x\", check: json.ok, method: POST } }
# the last
";
    assert_eq!(back.text, expected);
}

#[test]
fn an_empty_flow_keeps_its_comments() {
    for (path, text) in [
        (YAML, "{} # x\n# y\n"),
        (YAML, "{ # x\n}\n# y\n"),
        (TEXT, "# k\nflow { # x\n  # z\n} # w\n# y\n"),
        (TEXT, "flow {}\n# y\n"),
    ] {
        super::hold(&file(path, text));
    }
}

#[test]
fn braces_of_a_name_with_nothing_but_comments_keep_them() {
    for text in [
        "flow {\n  store {\n    a: string = \"\" { # x\n      # y\n    }\n  }\n}\n",
        "flow {\n  store {\n    a: string { # x\n      # y\n    }\n    b: any = { c = 1 } # z\n  }\n}\n",
    ] {
        laid_out(TEXT, text, text);
        super::hold(&file(TEXT, text));
    }
    let yaml = "store:\n  a: # x\n    type: string\n    default: \"\"\n    # y\ntasks:\n  a:\n    sleep: 1s\n";
    super::hold(&file(YAML, yaml));
}
