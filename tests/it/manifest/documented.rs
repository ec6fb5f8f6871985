//! The manifests of the documentation are some.

use sochdb_wasmi::manifest::Manifest;

use super::toml::with;

#[test]
fn the_manifests_of_the_documentation_are_some() {
    let documentation = include_str!("../../../docs/manifest.md");
    let fences = documentation.split("```toml\n").skip(1);
    let fences: Vec<_> = fences.filter_map(|rest| rest.split("```").next()).collect();
    let [whole, hooks] = fences.as_slice() else { panic!("{fences:?}") };
    let manifest = Manifest::from_toml(whole).expect("the example is right");
    assert_eq!(&*manifest.name, "weather");
    let manifest = with(hooks).expect("the example is right");
    assert_eq!(manifest.config.hooks().len(), 3);
}
