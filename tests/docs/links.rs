//! The links between the pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::path;

/// Every page of the project.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/wallets", "deploy", "fuzz", "clients/js", "clients/python"] {
        let entries = fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|file| file.extension().is_some_and(|end| end == "md")));
    }
    pages
}

/// The text without its blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    text.split("\n```").step_by(2).collect()
}

/// Where links lead to that do not leave the project.
fn targets(prose: &str) -> Vec<String> {
    let joined = prose.replace('\n', " ");
    let behind = joined.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned());
    behind.filter(|target| !target.contains("://")).collect()
}

/// The names that a page can be entered by, as GitHub makes them of its headings.
fn anchors(page: &Path) -> BTreeSet<String> {
    let headings = prose(page);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|line| {
            line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>()
        })
        .map(|name| name.replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    assert!(pages.len() > 15, "{pages:?}");
    for page in &pages {
        for target in targets(&prose(page)) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let there = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(there.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() {
                assert!(anchors(&there).contains(anchor), "{}: {target}: no such heading", page.display());
            }
        }
    }
}

#[test]
fn every_page_of_the_docs_can_be_reached_from_the_readme() {
    let readme = path("README.md").canonicalize().unwrap();
    let mut seen = BTreeSet::from([readme.clone()]);
    let mut next = vec![readme];
    while let Some(page) = next.pop() {
        for target in targets(&prose(&page)) {
            let file = target.split('#').next().unwrap();
            let there = page.parent().unwrap().join(file);
            if there.extension().is_some_and(|end| end == "md") && there.exists() {
                let there = there.canonicalize().unwrap();
                if seen.insert(there.clone()) {
                    next.push(there);
                }
            }
        }
    }
    let docs = path("docs").canonicalize().unwrap();
    for page in pages().iter().map(|page| page.canonicalize().unwrap()).filter(|page| page.starts_with(&docs))
    {
        assert!(seen.contains(&page), "{}", page.display());
    }
}
