//! SochDB's `[config_schema]`: types, required settings and defaults, checked when a manifest is read.

use sochdb_wasmi::{
    abi::{Name, NameError},
    host::PluginConfig,
    manifest::{Manifest, document::DocumentError},
};

use crate::support::{everything, host, wat_plugin};

fn read(config: &str, fields: &str) -> Result<Manifest, DocumentError> {
    Manifest::from_toml(&format!(
        "[plugin]\nname = \"p\"\nversion = \"1.0.0\"\n[config]\n{config}\n[config_schema]\n{fields}"
    ))
}

fn field(name: &str, of: &str, more: &str) -> String {
    format!("[[config_schema.fields]]\nname = \"{name}\"\ntype = \"{of}\"\n{more}\n")
}

#[test]
fn defaults_are_the_settings_that_are_not_given() {
    let fields = [
        field("text", "string", "default = \"60.0\""),
        field("count", "integer", "default = 5"),
        field("old_count", "integer", "default = \"-5\""),
        field("factor", "float", "default = \"60.0\""),
        field("on", "boolean", "default = \"true\""),
        field("names", "string_array", "default = [\"a\", \"b\"]"),
        field("given", "integer", "required = true\ndefault = 1\ndescription = \"text\""),
        field("optional", "float", ""),
    ];
    let manifest = read("given = { uint = 7 }", &fields.concat()).unwrap();
    let expected = Manifest::from_toml(
        "[plugin]\nname = \"p\"\nversion = \"1.0.0\"\n[config]\ntext = \"60.0\"\ncount = 5\n\
         old_count = -5\nfactor = 60.0\non = true\nnames = [\"a\", \"b\"]\ngiven = { uint = 7 }",
    );
    // The packed form, and so a device, has the settings and needs no schema.
    assert_eq!(manifest.pack(), expected.unwrap().pack());
}

/// The settings, the fields, and the line, the column and the word of what is wrong.
type Wrong = (&'static str, String, u32, u32, &'static str);

fn wrong() -> Vec<Wrong> {
    vec![
        ("", field("a", "integer", "required = true"), 7, 1, "missing_setting"),
        ("b = 1", field("a", "integer", ""), 5, 5, "unknown_setting"),
        ("a = 1.5", field("a", "integer", ""), 5, 5, "wrong_type"),
        ("a = 1", field("a", "float", ""), 5, 5, "wrong_type"),
        ("a = 1", field("a", "string", ""), 5, 5, "wrong_type"),
        ("a = \"true\"", field("a", "boolean", ""), 5, 5, "wrong_type"),
        ("a = [\"x\", 1]", field("a", "string_array", ""), 5, 5, "wrong_type"),
        ("", field("a", "integer", "default = 1.5"), 10, 11, "wrong_type"),
        ("", field("a", "integer", "default = \"x\""), 10, 11, "wrong_type"),
        // Also where the default is not needed.
        ("a = 1", field("a", "integer", "default = true"), 10, 11, "wrong_type"),
        ("", field("a", "text", ""), 9, 8, "choice"),
        ("", field("", "string", ""), 8, 8, "key"),
        ("", field("a", "string", "") + &field("a", "string", ""), 11, 1, "duplicate"),
        ("", field("a", "string", "min = 1"), 10, 1, "unknown_field"),
        ("", "[[config_schema.fields]]\nname = \"a\"".into(), 7, 1, "missing_field"),
        ("", "[[config_schema.field]]\nname = \"a\"".into(), 7, 17, "unknown_field"),
    ]
}

#[test]
fn a_setting_that_is_not_as_the_schema_says_is_named_with_its_place() {
    for (config, fields, line, _, word) in wrong() {
        let error = read(config, &fields).unwrap_err();
        assert_eq!(
            (error.line, error.problem.as_str()),
            (line, word),
            "{config}\n{fields}\n{error}"
        );
    }
}

// SochDB's manifests name plugins with hyphens, which were refused: "a name has a character at byte 2".
#[test]
fn a_plugin_may_have_hyphens_in_its_name_and_a_table_may_not() {
    let manifest = "[plugin]\nname = \"my-analytics-plugin\"\nversion = \"1.0.0\"";
    let manifest = Manifest::from_toml(manifest).unwrap();
    let manifest = Manifest::unpack(&manifest.pack()).unwrap();
    let mut host = host();
    let plugin = manifest.load(&mut host, &wat_plugin("")).unwrap();
    assert_eq!(host.find("my-analytics-plugin"), Some(plugin));
    let mut metrics = String::new();
    host.render_metrics(&mut metrics).unwrap();
    assert!(metrics.contains("plugin=\"my-analytics-plugin\""));
    let config = PluginConfig::new(everything());
    for name in ["-plugin", "my plugin", "1-plugin", "my.plugin"] {
        assert!(host.load(name, &wat_plugin(""), &config).is_err(), "{name}");
    }
    assert_eq!(Name::new("my-table"), Err(NameError::Character { at: 2 }));
}
