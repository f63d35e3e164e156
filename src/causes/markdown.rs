//! Renders the causes as Markdown: `docs/causes.md`, and the tables in `docs/reference.md`.

use std::fmt::Write;

use super::{Cause, Definition, Group, PageSection, Side, Softness, manual};
use crate::evidence::Direction;

const INTRO: &str = "\
<!-- Generated from src/causes. Change it there, then: make docs -->

# Causes

What meshwhy can name, one section per id. An id never changes its meaning.

How to read a verdict:

- **cause**: the id. Look it up below.
- **confidence**: `certain`: the evidence fits no other cause. `likely`: others are improbable. `possible`: a lead, no more.
- **side**: who has to act. `downstream`: the client. `mesh`: Istio's configuration. `upstream`: the service. `platform`: machine, network, Kubernetes.
  What anyone can send is `downstream` at gateways, where strangers are clients, too: a port scan is no fault of the mesh.
- **soft**: seen on traffic that works. Counted in `meshwhy_observations_total`, not in `meshwhy_failures_total`.

Log samples are from Envoy's default access log: status, flags, details. `-` means none. Words in capitals (`POD`, `HOST`) are
yours to fill in. `POD` is the pod whose proxy reported, unless it says otherwise. Where a proxy image has no shell or `curl`
(distroless), use `kubectl debug POD --image=IMAGE --target=istio-proxy -it`.
";

/// The whole of `docs/causes.md`.
pub fn causes_markdown() -> String {
    let mut out = String::from(INTRO);
    out.push_str("\n## Contents\n");
    for (group, causes) in chapters() {
        push(&mut out, format_args!("\n**{}**\n\n", group.chapter()));
        for cause in causes {
            let title = &manual::entry(*cause).title;
            let id = cause.id();
            push(&mut out, format_args!("- [`{id}`](#{id}): {title}\n"));
        }
    }
    for (group, causes) in chapters() {
        push(&mut out, format_args!("\n## {}\n", group.chapter()));
        for cause in causes {
            push_cause(&mut out, *cause);
        }
    }
    out
}

/// The tables of ids in `docs/reference.md`.
pub fn causes_tables() -> String {
    let mut out = String::new();
    for (group, causes) in chapters() {
        push(
            &mut out,
            format_args!("\n### {}\n\n| id | title | side | soft |\n|---|---|---|---|\n", group.chapter()),
        );
        for cause in causes {
            let (id, title, side) = (cause.id(), &manual::entry(*cause).title, cause.side().id());
            let at_gateways = match cause.side_at(Direction::Gateway) {
                same if same == cause.side() => String::new(),
                other => format!(", at gateways `{}`", other.id()),
            };
            let soft = match cause.definition().soft {
                Softness::Never => "",
                Softness::Also => "also",
                Softness::Only => "only",
            };
            push(
                &mut out,
                format_args!("| [`{id}`](causes.md#{id}) | {title} | `{side}`{at_gateways} | {soft} |\n"),
            );
        }
    }
    out.push('\n');
    out
}

/// The causes by chapter, in their order.
fn chapters() -> impl Iterator<Item = (Group, &'static [Cause])> {
    Cause::ALL
        .chunk_by(|a, b| a.group() == b.group())
        .filter_map(|causes| Some((causes.first()?.group(), causes)))
}

fn push_cause(out: &mut String, cause: Cause) {
    let entry = manual::entry(cause);
    push(out, format_args!("\n### {}\n\n**{}**\n\n", cause.id(), entry.title));
    push(out, format_args!("**Side**: {}.", side(cause.side())));
    if cause.side_at(Direction::Gateway) != cause.side() {
        out.push_str(" At a gateway `downstream`: anyone who reaches the port can send it.");
    }
    match cause.definition().soft {
        Softness::Never => {}
        Softness::Also => out.push_str(" Soft as well: also seen where the bytes got through."),
        Softness::Only => out.push_str(" Soft: seen on traffic that works."),
    }
    push(out, format_args!("\n\n{}\n\n", linked(&entry.happened)));
    push(out, format_args!("**Looks like**: {}\n\n", linked(&entry.looks_like)));
    push(out, format_args!("**Confirm**:\n\n```sh\n{}\n```\n\n", entry.confirm.trim_end()));
    push(out, format_args!("**Fix**: {} {}\n", cause.fix(), linked(&entry.fix)));
    if let Some(yaml) = &entry.fix_yaml {
        push(out, format_args!("\n```yaml\n{}\n```\n", yaml.trim_end()));
    }
    let Definition { look_alikes, section, .. } = cause.definition();
    if !look_alikes.is_empty() {
        let others: Vec<String> = look_alikes.iter().map(|c| link(*c)).collect();
        let others = others.join(", ");
        push(out, format_args!("\n**Confused with** {others}. {}\n", entry.tell_apart));
    }
    if let Some(section) = section {
        push(out, format_args!("\n**Istio's page**: {}.\n", page(*section)));
    }
}

/// Makes a link of each cause's id that the text names in backticks.
fn linked(text: &str) -> String {
    let words = text.split('`').enumerate().map(|(i, word)| {
        let code = !i.is_multiple_of(2);
        match Cause::from_id(word).filter(|_| code) {
            Some(cause) => link(cause),
            None if code => format!("`{word}`"),
            None => word.to_owned(),
        }
    });
    words.collect()
}

fn link(cause: Cause) -> String {
    format!("[`{0}`](#{0})", cause.id())
}

fn page(section: PageSection) -> String {
    format!("[{}]({})", section.title(), section.url())
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Downstream => "`downstream`, the client",
        Side::Mesh => "`mesh`, Istio's configuration",
        Side::Upstream => "`upstream`, the service",
        Side::Platform => "`platform`, machine, network or Kubernetes",
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = out.write_fmt(text);
}
