//! Kinds that work on data in servers: a MariaDB and a Redis of the tests' own.

use serde_json::{Value, json};

use crate::cli::Home;
use crate::servers::redis::Redis;
use crate::servers::{Kind, Server};

/// The URL of a new database, with the user and without the password, which is `PASSWORD` in the environment.
async fn database() -> (String, Home) {
    let url = Server::shared(Kind::MariaDb).await.database().await;
    let (user, place) = url.split_once("://").unwrap().1.split_once('@').unwrap();
    let user = user.split(':').next().unwrap();
    let home = Home::new().set("PASSWORD", "s3cret@/:");
    (format!("mysql://{user}@{place}"), home)
}

/// What the flow has handed out, as JSON.
fn provided(home: &Home, arguments: &str) -> Value {
    home.run(arguments).exits(0);
    let shown = home.run("show --all --format json").exits(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let id = shown["jobs"][0]["id"].as_str().unwrap();
    let job = home
        .run(&format!("show {id} --format json"))
        .exits(0)
        .stdout;
    let job: Value = serde_json::from_str(&job).unwrap();
    let tasks = job["jobs"][0]["tasks"].as_array().unwrap();
    tasks.last().unwrap()["result"].clone()
}

#[tokio::test]
async fn mysql_query_binds_values_and_is_undone_by_another_statement() {
    let (url, home) = database().await;
    let flow = r#"
store:
  fail: false
  name: { default: "x'); DROP TABLE people; -- \"" }
  password: { secret: true, from: env:PASSWORD }
tasks:
  table:
    mysql_query: { url: "URL", password: "{{ password }}", statement: "CREATE TABLE IF NOT EXISTS people (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(99), about JSON)" }
  row:
    needs: [table]
    mysql_query:
      url: "URL"
      password: "{{ password }}"
      statement: INSERT INTO people (name, about) VALUES (?, ?)
      values: ["{{ name }}", { tags: [a, 1, true, null] }]
    revert:
      url: "URL"
      password: "{{ password }}"
      statement: DELETE FROM people WHERE id = ?
      values: ["{{ result.last_insert_id | default(0) }}"]
    provides: { id: last_insert_id, changed: affected }
  last: { needs: [row], when: fail, skips: task, exec: ['false'] }
  found:
    needs: [last]
    mysql_query: { url: "URL", password: "{{ password }}", statement: "SELECT id = ? AS it, name, about FROM people", values: ["{{ id }}"] }
"#;
    let home = home.and("f.flow.yaml", flow.replace("URL", &url));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    let found = provided(&home, "run f.flow.yaml");
    let name = "x'); DROP TABLE people; -- \"";
    // The row of the first run is gone.
    assert_eq!(found["rows"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["rows"][0]["it"], 1);
    assert_eq!(found["rows"][0]["name"], name);
    let about: Value = match &found["rows"][0]["about"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    assert_eq!(about, json!({ "tags": ["a", 1, true, null] }));
}

#[tokio::test]
async fn mysql_query_gives_every_type_as_json() {
    let (url, home) = database().await;
    let statement = "SELECT CAST(-5 AS SIGNED) AS a, CAST(18446744073709551615 AS UNSIGNED) AS b, 1.50 AS c, 2.5e0 AS d, \
        CAST('2026-11-24' AS DATE) AS e, CAST('2026-11-24 08:00:01.5' AS DATETIME(1)) AS f, CAST('-12:30:00' AS TIME) AS g, \
        NULL AS h, '\u{fc}' AS i, CAST('2026-11-24' AS DATETIME) AS k, CAST(0.1 AS FLOAT) AS l, ? AS m, ? AS n";
    let flow = format!(
        "store: {{ password: {{ secret: true, from: env:PASSWORD }} }}\ntasks:\n  a:\n    mysql_query:\n      url: \"{url}\"\n      password: \"{{{{ password }}}}\"\n      statement: \"{statement}\"\n      values: [18446744073709551615, 0.25]\n"
    );
    let home = home.and("f.flow.yaml", &flow);
    let found = provided(&home, "run f.flow.yaml");
    let row = json!({
        "a": -5, "b": 18_446_744_073_709_551_615_u64, "c": "1.50", "d": 2.5, "e": "2026-11-24",
        "f": "2026-11-24 08:00:01.500000", "g": "-12:30:00", "h": null, "i": "\u{fc}",
        "k": "2026-11-24 00:00:00", "l": 0.1, "m": 18_446_744_073_709_551_615_u64, "n": 0.25,
    });
    assert_eq!(found["rows"], json!([row]));
}

#[tokio::test]
async fn mysql_query_says_what_went_wrong_and_never_the_password() {
    let (url, home) = database().await;
    let task = |url: &str, statement: &str| {
        super::flow(&format!(
            "{{ mysql_query: {{ url: \"{url}\", password: \"s3cret@/:\", statement: \"{statement}\" }} }}"
        ))
    };
    let home = home.and("syntax.flow.yaml", task(&url, "SELEKT 1"));
    let ran = home.run("run syntax.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("the server says (42000): You have an error"),
        "{ran}"
    );
    let elsewhere = "mysql://jobrunner@127.0.0.1:1/x";
    let home = home.and("away.flow.yaml", task(elsewhere, "SELECT 1"));
    let ran = home.run("run away.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("`127.0.0.1:1`: ") && ran.contains("refused"),
        "{ran}"
    );
    assert!(!ran.contains("s3cret"), "{ran}");
    let redis =
        "{ redis_command: { url: redis://:hunter2hunter2@127.0.0.1:1/0, command: [PING] } }";
    let home = home.and("away.flow.yaml", super::flow(redis));
    let ran = home.run("run away.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("`127.0.0.1:1`: ") && ran.contains("refused"),
        "{ran}"
    );
    assert!(!ran.contains("hunter2"), "{ran}");
    let odd = "http://jobrunner:s3cret@h/x";
    let home = home.and("odd.flow.yaml", task(odd, "SELECT 1"));
    let ran = home.run("run odd.flow.yaml").exits(1).stdout;
    assert!(ran.contains("`url` is not a URL such as mysql://"), "{ran}");
    let glued = task(&url, "SELECT '{{ flow.name }}'");
    let home = home.and("glued.flow.yaml", glued);
    let refused = home.run("run glued.flow.yaml").exits(2).stderr;
    assert!(refused.contains("error[template-in-script]"), "{refused}");
    assert!(refused.contains("write `?` there"), "{refused}");
    for said in [ran, refused] {
        assert!(
            !said.contains("s3cret@/:") || said.contains("glued"),
            "{said}"
        );
    }
}

#[test]
fn redis_command_hands_arguments_over_as_they_are_and_is_undone_by_another() {
    let redis = Redis::start(&["--requirepass", "hunter2hunter2"]);
    let flow = r#"
store: { fail: false, value: { default: "a b\n'c'" }, password: { secret: true, from: env:PASSWORD } }
tasks:
  key:
    redis_command: { url: "URL", password: "{{ password }}", command: [HSET, "the key", field, "{{ value }}", n, 3] }
    revert: { url: "URL", password: "{{ password }}", command: [DEL, "the key"] }
    provides: { added: answer }
  last: { needs: [key], when: fail, skips: task, exec: ['false'] }
  found:
    needs: [last]
    redis_command: { url: "URL", password: "{{ password }}", command: [HGETALL, "the key"] }
"#;
    let home = Home::new().set("PASSWORD", "hunter2hunter2");
    let home = home.and("f.flow.yaml", flow.replace("URL", &redis.url()));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    let all = flow.replace(
        "HSET, \"the key\", field, \"{{ value }}\", n, 3",
        "EXISTS, \"the key\"",
    );
    let all = all.replace("[HGETALL, \"the key\"]", "[KEYS, \"*\"]");
    let home = home.and("none.flow.yaml", all.replace("URL", &redis.url()));
    assert_eq!(
        provided(&home, "run none.flow.yaml"),
        json!({ "answer": [] })
    );
    let found = provided(&home, "run f.flow.yaml");
    assert_eq!(
        found,
        json!({ "answer": { "field": "a b\n'c'", "n": "3" } })
    );
    // A wrong password, and an error of the server's.
    let wrong = flow
        .replace("HSET, \"the key\"", "INCR, \"the key\"")
        .replace("URL", &redis.url());
    let home = home.and("wrong.flow.yaml", wrong);
    let ran = home.run("run wrong.flow.yaml").exits(1).stdout;
    assert!(ran.contains("wrong number of arguments"), "{ran}");
    let home = home.set("PASSWORD", "hunter3hunter3");
    let ran = home.run("run f.flow.yaml");
    let ran = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!ran.contains("hunter3") && ran.contains("STUCK"), "{ran}");
}
