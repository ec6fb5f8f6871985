//! The five minutes of docs/replay.md: its commands as they stand there print what stands there.
//!
//! `BLESS=1 cargo test --all-features --test it cli::readme` writes into it what they print now.

use std::{fs, path::Path};

use super::{Ran, changed_weather, directory, sochdb_in};

/// The fenced blocks of a section: language and text.
fn blocks(section: &str) -> Vec<(String, String)> {
    let readme = fs::read_to_string("docs/replay.md").expect("it is there");
    let (_, section) =
        readme.split_once(&format!("\n## {section}\n")).expect("the section is there");
    let section = section.split("\n## ").next().expect("a section has an end");
    let mut blocks = Vec::new();
    let mut rest = section;
    while let Some((_, after)) = rest.split_once("```") {
        let (block, behind) = after.split_once("\n```").expect("a block has an end");
        let (language, text) = block.split_once('\n').expect("a block has lines");
        blocks.push((language.into(), format!("{text}\n")));
        rest = behind;
    }
    blocks
}

/// A block of the page is what was printed; with `BLESS=1` it becomes that.
fn is_printed(block: &str, printed: &str) {
    if std::env::var_os("BLESS").is_some() {
        let readme = fs::read_to_string("docs/replay.md").expect("it is there");
        fs::write("docs/replay.md", readme.replace(block, printed)).expect("it can be written");
    } else {
        assert_eq!(printed, block);
    }
}

/// The commands of a block, each as its words.
fn commands(block: &str) -> Vec<Vec<String>> {
    let lines = block.replace("\\\n", " ");
    let word = |word: &str| word.trim_matches('\'').to_string();
    lines.lines().map(|line| line.split_whitespace().map(word).collect()).collect()
}

#[test]
fn the_five_minutes_of_the_readme_print_what_stands_there() {
    // A clone, as far as the commands need it.
    let clone = directory("readme");
    let plugins = Path::new("examples/plugins");
    for directory in [plugins, Path::new("examples/data")] {
        fs::create_dir_all(clone.join(directory)).expect("it can be made");
        for entry in fs::read_dir(directory).expect("it is there") {
            let from = entry.expect("it can be read").path();
            if from.is_file() {
                fs::copy(&from, clone.join(&from)).expect("it can be copied");
            }
        }
    }
    let blocks = blocks("Record, change, replay in five minutes");
    let sh: Vec<_> = blocks.iter().filter(|(language, _)| language == "sh").collect();
    let text: Vec<_> = blocks.iter().filter(|(language, _)| language == "text").collect();
    let [(_, first), (_, change), (_, last)] = sh[..] else { panic!("{blocks:?}") };
    let [(_, same), (_, divergence)] = text[..] else { panic!("{blocks:?}") };
    let run = |words: &[String]| -> Ran {
        assert_eq!(words[0], "sochdb-wasmi");
        let words: Vec<_> = words[1..].iter().map(String::as_str).collect();
        sochdb_in(&clone, &words)
    };

    let [record, replay] = &commands(first)[..] else { panic!("{first}") };
    let ran = run(record);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = run(replay);
    assert_eq!(ran.code, 0);
    is_printed(same, &ran.stdout);

    // The change and the build, without a compiler: the line is there once, and so is its code.
    let [edit, target, build] = &commands(change)[..] else { panic!("{change}") };
    assert_eq!((&*target[0], &*build[0]), ("rustup", "examples/plugins/build.sh"));
    let expression = edit.join(" ");
    let expression = expression.split('/').collect::<Vec<_>>();
    let [_, from, to, ..] = expression[..] else { panic!("{edit:?}") };
    assert_eq!((from, to), ("temp_min < 60.0", "temp_min < 18.0"));
    let source = fs::read_to_string(edit.last().expect("a file")).expect("it is there");
    assert_eq!(source.matches(from).count(), 1);
    fs::copy(changed_weather("readme_changed"), clone.join(plugins).join("weather.wasm"))
        .expect("it can be copied");

    let [replay] = &commands(last)[..] else { panic!("{last}") };
    let ran = run(replay);
    assert_eq!(ran.code, 12);
    is_printed(divergence, &ran.stdout);
}
