//! Manifests, packed and in TOML: what is read again is packed and read again, to the same bytes.

use std::fs;

use sochdb_wasmi::manifest::Manifest;

use crate::{damage::damage, random::Random};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(path: &str) -> Vec<u8> {
    fs::read(format!("{ROOT}/{path}")).expect("a file of the repository")
}

fn texts() -> Vec<Vec<u8>> {
    let page = String::from_utf8(read("docs/manifest.md")).expect("UTF-8");
    let shown = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut texts: Vec<_> = shown.map(|text| text.as_bytes().to_vec()).collect();
    texts.push(read("examples/plugins/weather.toml"));
    texts
}

pub fn packed() -> impl FnMut(&mut Random) {
    let mut good = vec![read("tests/images/manifest-v1/notes.manifest")];
    let known = texts().into_iter().filter_map(|text| String::from_utf8(text).ok());
    good.extend(
        known.filter_map(|text| Manifest::from_toml(&text).ok()).map(|manifest| manifest.pack()),
    );
    assert!(good.len() > 2, "the page has whole manifests");
    move |random| {
        let mut bytes = good[random.below(good.len())].clone();
        damage(random, &mut bytes);
        match Manifest::unpack(&bytes) {
            // Only version 1 is written by nobody any more.
            Ok(manifest) => {
                let again = manifest.pack();
                assert!(again == bytes || bytes.first() == Some(&1), "packed in two ways");
                assert_eq!(Manifest::unpack(&again).expect("what was packed").pack(), again);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

pub fn toml() -> impl FnMut(&mut Random) {
    let good = texts();
    move |random| {
        let mut bytes = good[random.below(good.len())].clone();
        damage(random, &mut bytes);
        match Manifest::from_toml(&String::from_utf8_lossy(&bytes)) {
            Ok(manifest) => {
                let packed = manifest.pack();
                assert_eq!(Manifest::unpack(&packed).expect("what was packed").pack(), packed);
            }
            Err(error) => assert!(error.line >= 1 && !error.to_string().is_empty()),
        }
    }
}
