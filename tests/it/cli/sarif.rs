//! `check --format sarif`, held to what the SARIF 2.1.0 standard asks of what it uses.

use serde_json::{Value, json};

use super::Home;

/// What OASIS SARIF 2.1.0 requires of the objects that a log of ours has, section by section. Everything that is
/// not known here is refused, so that nothing is written that the standard does not have.
fn standard() -> Value {
    let closed = |required: Value, properties: Value| json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false });
    let number = json!({ "type": "integer", "minimum": 1 });
    let level = json!({ "enum": ["none", "note", "warning", "error"] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            // 3.11, 3.12: message, multiformatMessageString
            "message": closed(json!(["text"]), json!({ "text": { "type": "string", "minLength": 1 } })),
            "multiformat": closed(json!(["text"]), json!({ "text": { "type": "string" }, "markdown": { "type": "string" } })),
            // 3.30: a region by lines and columns, which count from 1
            "region": closed(json!(["startLine"]), json!({
                "startLine": number, "startColumn": number, "endLine": number, "endColumn": number,
            })),
            // 3.28, 3.29, 3.4: location, physicalLocation, artifactLocation
            "location": closed(json!(["physicalLocation"]), json!({
                "id": { "type": "integer", "minimum": 0 },
                "message": { "$ref": "#/$defs/message" },
                "physicalLocation": closed(json!(["artifactLocation"]), json!({
                    "artifactLocation": closed(json!(["uri"]), json!({ "uri": { "type": "string", "format": "uri-reference", "pattern": "^[A-Za-z0-9/._~%:-]+$" } })),
                    "region": { "$ref": "#/$defs/region" },
                })),
            })),
            // 3.49: reportingDescriptor
            "rule": closed(json!(["id"]), json!({
                "id": { "type": "string" },
                "shortDescription": { "$ref": "#/$defs/multiformat" },
                "help": { "$ref": "#/$defs/multiformat" },
                "defaultConfiguration": closed(json!([]), json!({ "level": level })),
            })),
            // 3.27: result
            "result": closed(json!(["message"]), json!({
                "ruleId": { "type": "string" },
                "ruleIndex": { "type": "integer", "minimum": 0 },
                "level": level,
                "message": { "$ref": "#/$defs/message" },
                "locations": { "type": "array", "items": { "$ref": "#/$defs/location" } },
                "relatedLocations": { "type": "array", "items": { "$ref": "#/$defs/location" } },
            })),
            // 3.20, 3.58: invocation, notification
            "invocation": closed(json!(["executionSuccessful"]), json!({
                "executionSuccessful": { "type": "boolean" },
                "toolExecutionNotifications": { "type": "array", "items": closed(json!(["message"]), json!({
                    "level": level,
                    "message": { "$ref": "#/$defs/message" },
                    "locations": { "type": "array", "items": { "$ref": "#/$defs/location" } },
                })) },
            })),
        },
        // 3.13, 3.14, 3.18, 3.19: sarifLog, run, tool, toolComponent
        "type": "object",
        "required": ["version", "runs"],
        "additionalProperties": false,
        "properties": {
            "$schema": { "type": "string", "format": "uri" },
            "version": { "const": "2.1.0" },
            "runs": { "type": "array", "items": closed(json!(["tool", "results"]), json!({
                "tool": closed(json!(["driver"]), json!({ "driver": closed(json!(["name"]), json!({
                    "name": { "type": "string" },
                    "version": { "type": "string" },
                    "rules": { "type": "array", "uniqueItems": true, "items": { "$ref": "#/$defs/rule" } },
                })) })),
                "columnKind": { "enum": ["utf16CodeUnits", "unicodeCodePoints"] },
                "invocations": { "type": "array", "items": { "$ref": "#/$defs/invocation" } },
                "results": { "type": "array", "items": { "$ref": "#/$defs/result" } },
            })) },
        },
    })
}

#[test]
fn a_sarif_log_has_each_problem_with_its_rule_and_its_place() {
    let home = Home::with(
        "flows/a b.flow.yaml",
        "tasks:\n  ü: { shel: x }\n  twice: { shell: x }\n  twice: { shell: x }\n",
    )
    .and(
        "b.flow.yaml",
        "store: { x: 1 }\ntasks: { b: { shell: x } }\n",
    )
    .and("latin.flow.yaml", b"about: caf\xe9\n".as_slice());
    let ran = home.run_with(&[
        "check",
        "--format",
        "sarif",
        "./flows/a b.flow.yaml",
        "b.flow.yaml",
        "latin.flow.yaml",
        "missing.flow.yaml",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let log: Value = serde_json::from_str(&ran.stdout).unwrap();
    let validator = jsonschema::validator_for(&standard()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let help = rules[index]["help"]["markdown"].as_str().unwrap();
        assert!(help.contains("Wrong:") && help.contains("Right:"), "{help}");
    }
    let of = |code: &str| {
        let found = results.iter().find(|result| result["ruleId"] == code);
        found.unwrap_or_else(|| panic!("{code} in {results:#?}"))
    };
    let place = |result: &Value| result["locations"][0]["physicalLocation"].clone();
    let misspelt = of("unknown-key");
    assert_eq!(misspelt["level"], "error");
    assert_eq!(
        place(misspelt),
        json!({
            "artifactLocation": { "uri": "flows/a%20b.flow.yaml" },
            "region": { "startLine": 2, "startColumn": 8, "endLine": 2, "endColumn": 12 },
        })
    );
    let twice = of("duplicate-key");
    assert_eq!(
        twice["relatedLocations"][0]["physicalLocation"]["region"]["startLine"],
        3
    );
    assert_eq!(of("unused-name")["level"], "warning");
    assert_eq!(
        place(of("not-utf8")),
        json!({ "artifactLocation": { "uri": "latin.flow.yaml" } })
    );
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let notification = &invocation["toolExecutionNotifications"][0];
    assert!(
        notification["message"]["text"]
            .as_str()
            .unwrap()
            .contains("missing.flow.yaml")
    );
}
