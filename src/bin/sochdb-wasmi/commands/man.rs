//! `man`: manual pages, made by `clap_mangen` from the help.

use std::{io, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use serde_json::json;

use crate::{
    files,
    report::{failure::Failure, output::Report},
};

#[derive(Args)]
pub struct Arguments {
    /// The command whose page is printed, for example: trace show. Default: the page of the program.
    #[arg(conflicts_with = "out")]
    command: Vec<String>,
    /// Writes the pages of all commands into this directory, which must exist.
    #[arg(short, long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

/// Prints a page, or writes all.
pub fn man(arguments: &Arguments, mut program: Command) -> Result<Report, Failure> {
    program.build();
    match &arguments.out {
        Some(directory) => {
            let mut pages = Vec::new();
            every_page(&program, &mut pages);
            for (name, page) in &pages {
                files::write(&directory.join(name), page)?;
            }
            let names: Vec<_> = pages.iter().map(|(name, _)| name).collect();
            let talk = format!("{} pages in {}\n", names.len(), directory.display());
            let json = json!({ "directory": directory.display().to_string(), "pages": names });
            Ok(Report { data: String::new(), talk, json, code: 0 })
        }
        None => {
            let (name, page) = page(found(&program, &arguments.command)?);
            let data = String::from_utf8_lossy(&page).into_owned();
            let json = json!({ "page": name, "text": data });
            Ok(Report { data, talk: String::new(), json, code: 0 })
        }
    }
}

/// The command of these words.
fn found<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command, Failure> {
    let mut command = program;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<_> = commands_of(command).map(Command::get_name).collect();
            let reason = match &*known.join(", ") {
                "" => format!("{} has no commands", command.get_name()),
                known => format!("there is no command {word:?}; there are {known}"),
            };
            Failure::Usage { reason }
        })?;
    }
    Ok(command)
}

/// The commands of a command, without `help`: it prints what the pages say.
fn commands_of(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help")
}

/// The pages of a command and of all commands of its own.
fn every_page(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    pages.push(page(command));
    for command in commands_of(command) {
        every_page(command, pages);
    }
}

/// A page, and the name of its file.
fn page(command: &Command) -> (String, Vec<u8>) {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    // A vector takes every byte.
    let _: io::Result<()> = man.render(&mut page);
    (man.get_filename(), page)
}
