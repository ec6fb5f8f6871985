//! The pages agree with the code and with each other: versions, links, the length of the README.

use std::{fs, path::Path};

use sochdb_wasmi::abi::ABI_VERSION;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(page)).expect("the page is there")
}

/// Every page that a reader may come to.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "no_std_check/README.md",
    ]
    .map(String::from)
    .into();
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).expect("docs is there") {
        let name = entry.expect("it can be read").file_name().into_string().expect("UTF-8");
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages
}

/// The heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_between_pages_leads_to_a_page_and_a_heading() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let directory = Path::new(ROOT).join(&page);
            let directory = directory.parent().expect("a directory");
            let path =
                if file.is_empty() { Path::new(ROOT).join(&page) } else { directory.join(file) };
            let found = if heading.is_empty() {
                path.exists()
            } else {
                fs::read_to_string(&path).is_ok_and(|text| {
                    text.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
                })
            };
            if !found {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = read("README.md");
    for page in pages().iter().filter(|page| page.starts_with("docs/")) {
        assert!(readme.contains(&format!("]({page})")), "the README has no link to {page}");
    }
    assert!(readme.lines().count() <= 170, "what is not for a first look goes to docs/");
}

#[test]
fn the_page_of_versions_has_the_versions_of_the_code() {
    let page = read("docs/stability.md");
    let mut rows = vec![("plugin ABI", ABI_VERSION)];
    #[cfg(feature = "record")]
    rows.push(("trace", sochdb_wasmi::trace::VERSION.into()));
    rows.push(("packed manifest", sochdb_wasmi::manifest::PACKED_VERSION.into()));
    for (name, version) in rows {
        assert!(page.contains(&format!("| {name} | {version} |")), "{name} {version}");
    }
    let manifest = read("Cargo.toml");
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let rust = rust.expect("Cargo.toml has it").trim_matches('"');
    assert!(page.contains(&format!("The minimum supported version is {rust} ")));
    assert!(read("README.md").contains(&format!("It needs Rust {rust}.")));
}
