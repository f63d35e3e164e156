//! `meshwhy causes`: every cause, and its manual page.

use std::io::{self, Write};

use meshwhy::causes::manual;
use meshwhy::causes::{Cause, Definition, PageSection, Softness};
use meshwhy::evidence::Direction;

use super::output::{BOLD, CAUSE, DIM, FIX};

/// Prints the one of this id, or all whose id holds it, or the list.
pub fn run(id: Option<String>) -> io::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    let Some(id) = id else { return list(&mut out, Cause::ALL) };
    if let Some(cause) = Cause::from_id(&id) {
        return page(&mut out, cause);
    }
    let some: Vec<Cause> = Cause::ALL.iter().copied().filter(|cause| cause.id().contains(&id)).collect();
    match some.as_slice() {
        [one] => page(&mut out, *one),
        several => list(&mut out, several),
    }
}

fn list(out: &mut impl Write, causes: &[Cause]) -> io::Result<()> {
    let width = causes.iter().map(|cause| cause.id().len()).max().unwrap_or_default();
    for cause in causes {
        let (id, side) = (cause.id(), cause.side().id());
        writeln!(
            out,
            "{CAUSE}{id:<width$}{CAUSE:#}  {DIM}{side:<10}{DIM:#}  {}",
            manual::entry(*cause).title
        )?;
    }
    Ok(())
}

fn page(out: &mut impl Write, cause: Cause) -> io::Result<()> {
    let entry = manual::entry(cause);
    writeln!(out, "{CAUSE}{}{CAUSE:#}\n{BOLD}{}{BOLD:#}\n", cause.id(), entry.title)?;
    let Definition { soft, look_alikes, section, .. } = cause.definition();
    let soft = match soft {
        Softness::Never => "",
        Softness::Also => "; also seen where the bytes got through",
        Softness::Only => "; seen on traffic that works",
    };
    let at_gateways = cause.side_at(Direction::Gateway);
    let strangers = if at_gateways == cause.side() {
        String::new()
    } else {
        format!("; at a gateway {}", at_gateways.id())
    };
    writeln!(out, "{DIM}Side{DIM:#}: {}{strangers}{soft}\n", cause.side().id())?;
    writeln!(out, "{}\n", wrapped(&entry.happened))?;
    writeln!(out, "{BOLD}Looks like{BOLD:#}\n{}\n", wrapped(&entry.looks_like))?;
    writeln!(out, "{BOLD}Confirm{BOLD:#}\n{}\n", indented(&entry.confirm))?;
    writeln!(out, "{BOLD}Fix{BOLD:#}\n{FIX}{}{FIX:#}\n{}", wrapped(cause.fix()), wrapped(&entry.fix))?;
    if let Some(yaml) = &entry.fix_yaml {
        writeln!(out, "\n{}", indented(yaml))?;
    }
    if !look_alikes.is_empty() {
        let others: Vec<&str> = look_alikes.iter().map(|cause| cause.id()).collect();
        writeln!(out, "\n{BOLD}Confused with{BOLD:#} {}\n{}", others.join(", "), wrapped(&entry.tell_apart))?;
    }
    if let Some(section) = section {
        writeln!(out, "\n{BOLD}Istio's page{BOLD:#} {}\n{}", section.title(), PageSection::url(*section))?;
    }
    Ok(())
}

/// Lines of a readable width. Markdown's backticks stay: they set apart what is to be typed.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut out = String::new();
    for paragraph in text.split('\n') {
        let mut column = 0;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if column > 0 && column + word.len() >= WIDTH {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
            }
            out.push_str(word);
            column += word.len() + 1;
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

fn indented(text: &str) -> String {
    let lines: Vec<String> =
        text.trim_end().lines().map(|line| format!("    {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}
