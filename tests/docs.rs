//! Tests that the pages in src/docs agree with the source, and that links between Markdown files lead somewhere.

use std::{collections::BTreeSet, fs, path::Path};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the source of the crate without its tests and comments.
fn source() -> String {
    fn read(folder: &Path, source: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The error codes of AWS's services are not part of nodeback: `aws_sdk.md` lists those
            // of the SDK.
            if path.ends_with("tests") || path.ends_with("error/aws_sdk.rs") {
                continue;
            }
            if path.is_dir() {
                read(&path, source);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                for line in code.lines().filter(|line| !line.trim().starts_with("//")) {
                    source.push_str(line);
                    source.push('\n');
                }
            }
        }
    }
    let mut source = String::new();
    read(&Path::new(ROOT).join("src"), &mut source);
    source
}

fn page(name: &str) -> String {
    let path = format!("{ROOT}/src/docs/{name}.md");
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the string literals in the source, with each run of whitespace reduced to one space.
fn literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some((_, text)) = rest.split_once('"') {
        let mut literal = String::new();
        let mut characters = text.char_indices();
        let mut end = text.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => literal.extend(characters.next().map(|(_, escaped)| escaped)),
                '"' => {
                    end = at + 1;
                    break;
                }
                other => literal.push(other),
            }
        }
        let words = literal.split_whitespace().collect::<Vec<_>>();
        literals.push(words.join(" "));
        rest = &text[end..];
    }
    literals
}

/// Returns the parts of a format string between its arguments.
fn fixed_parts(format: &str) -> impl Iterator<Item = &str> {
    let parts = format
        .split('{')
        .map(|part| part.split('}').next_back().unwrap());
    parts.map(|part| part.trim_matches([' ', ':', '`', 't']))
}

/// Returns the first string literal after each occurrence of `call`.
fn first_literals(source: &str, call: &str) -> Vec<String> {
    let behind = source.split(call).skip(1);
    let literals = behind.filter_map(|text| literals(text).into_iter().next());
    literals.collect()
}

#[test]
fn every_error_type_is_on_the_troubleshooting_page() {
    let page = page("troubleshooting");
    let source = source();
    let name = |text: &String| {
        let named = ["Runtime.", "Sandbox.", "Function."];
        let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        is_name
            && (named.iter().any(|start| text.starts_with(start)) || text.ends_with("Exception"))
    };
    let types: BTreeSet<String> = literals(&source).into_iter().filter(name).collect();
    assert!(types.len() > 20, "only {types:?}");
    for error_type in types {
        assert!(
            page.contains(&format!("`{error_type}`")),
            "`{error_type}` is not on the page"
        );
    }
    // The name may also be a constant, which the loop above has found.
    let ours = source.split("Error::ours(").skip(1).map(str::trim_start);
    for text in ours.filter(|text| text.starts_with('"')) {
        let error_type = &literals(text)[0];
        let named = format!("`{error_type}`");
        assert!(page.contains(&named), "{named} is not on the page");
    }
}

#[test]
fn every_log_line_is_on_the_troubleshooting_page() {
    let page = page("troubleshooting");
    let source = source();
    let mut lines = 0;
    // The mistakes in the settings of the log are logged in a loop.
    let settings = fs::read_to_string(format!("{ROOT}/src/log/settings.rs")).unwrap();
    for (source, call) in [
        (&source, "tracing::warn!("),
        (&source, "tracing::error!("),
        (&settings, "mistakes.push("),
    ] {
        for line in first_literals(source, call) {
            for part in fixed_parts(&line).filter(|part| part.len() > 8) {
                assert!(
                    page.contains(part),
                    "`{part}` of `{line}` is not on the page"
                );
                lines += 1;
            }
        }
    }
    assert!(lines > 15, "only {lines} lines");
}

#[test]
fn every_compile_error_is_on_the_troubleshooting_page() {
    let page = page("troubleshooting");
    let messages = first_literals(&source(), "#[diagnostic::on_unimplemented(");
    assert_ne!(messages.len(), 0);
    for message in messages {
        for part in fixed_parts(&message).filter(|part| part.len() > 8) {
            assert!(page.contains(part), "`{part}` is not on the page");
        }
    }
}

/// Collects every file in a folder, as a path that starts with `prefix`.
fn files(folder: &Path, prefix: &str, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &path, all);
        } else {
            all.insert(path);
        }
    }
}

#[test]
fn source_files_that_a_page_names_exist() {
    let mut all = BTreeSet::new();
    for folder in ["benches", "examples", "src", "tests"] {
        files(
            &Path::new(ROOT).join(folder),
            &format!("/{folder}"),
            &mut all,
        );
    }
    let pages = [
        "README.md",
        ".github/CONTRIBUTING.md",
        "examples/README.md",
        "src/docs/internals.md",
        "src/docs/reliability.md",
        "src/docs/streaming.md",
    ];
    let mut named = 0;
    for page in pages {
        let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|text| text.ends_with(".rs") && !text.contains(' ')) {
            let end = format!("/{path}");
            assert!(
                all.iter().any(|file| file.ends_with(&end)),
                "{page} names `{path}`, which does not exist"
            );
            named += 1;
        }
    }
    assert!(named > 30, "only {named} names were found");
}

/// The Markdown files that have links to others, as paths in the repository.
fn markdown_files() -> Vec<String> {
    let mut all = vec![
        "README.md".into(),
        "CHANGELOG.md".into(),
        "benches/README.md".into(),
        "examples/README.md".into(),
    ];
    for folder in [".github", "src/docs"] {
        for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            all.push(format!("{folder}/{}", name.to_str().unwrap()));
        }
    }
    all.retain(|path| path.ends_with(".md"));
    all
}

/// The lines of a Markdown file that are not code.
fn prose(path: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The anchors of a file's headings, as both rustdoc and GitHub make them.
fn anchors(path: &str) -> BTreeSet<String> {
    let lines = prose(path);
    let headings = lines.iter().filter_map(|line| {
        let (level, heading) = line.split_once(' ')?;
        (!level.is_empty() && level.trim_matches('#').is_empty()).then_some(heading)
    });
    let mut all = BTreeSet::new();
    for heading in headings {
        let kept = heading.trim().chars().filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then_some(c),
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let repeated = (1..).map(|n| format!("{anchor}-{n}"));
        let mut names = std::iter::once(anchor.clone()).chain(repeated);
        all.extend(names.find(|name| !all.contains(name)));
    }
    all
}

/// The file and the anchor that a link from `page` means, if it is one that can be checked.
fn target(page: &str, link: &str) -> Option<(String, Option<String>)> {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.contains("://") {
        return None;
    }
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    // An item of the crate, whose existence rustdoc checks. A page is a module, and has headings.
    if path.contains("::") || path.contains('@') {
        let module = path.trim_end_matches("()").strip_prefix("crate::")?;
        let file = format!("src/docs/{module}.md");
        return Path::new(ROOT)
            .join(&file)
            .exists()
            .then_some((file, anchor));
    }
    let mut folders: Vec<&str> = page.split('/').collect();
    folders.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(folders.pop()),
            "." => {}
            part => folders.push(part),
        }
    }
    Some((folders.join("/"), anchor))
}

#[test]
fn links_between_markdown_files_lead_somewhere() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in markdown_files() {
        for line in prose(&page) {
            let behind = line.split("](").skip(1);
            for link in behind.filter_map(|text| text.split(')').next()) {
                let Some((file, anchor)) = target(&page, link) else {
                    continue;
                };
                checked += 1;
                let exists = Path::new(ROOT).join(&file).exists();
                let named = anchor.is_none_or(|anchor| exists && anchors(&file).contains(&anchor));
                if !(exists && named) {
                    broken.push(format!("{page} links to {link}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(checked > 100, "only {checked} links were found");
}
