//! The package of an original, and its handler setting, as on Lambda.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The original: `legacy/dist/src/index.handler` is the export `handler` of `dist/src/index.js` in
/// the package `legacy`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Original {
    /// The root of the package: Lambda's `LAMBDA_TASK_ROOT`, and the working directory.
    pub(super) root: PathBuf,
    /// The handler setting, relative to the root, such as `dist/src/index.handler`.
    pub(super) handler: String,
}

impl Original {
    /// Returns the folder in the name of a file and an export.
    fn folder(text: &str) -> PathBuf {
        match Path::new(text).parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.into(),
            _ => ".".into(),
        }
    }

    /// Returns `root`, or else the root of the package that contains the original. Neither needs to
    /// exist.
    pub(super) fn root_of(text: &str, root: Option<&Path>) -> PathBuf {
        match (root, Self::folder(text)) {
            (Some(root), _) => root.into(),
            (None, folder) => match folder.canonicalize() {
                Ok(folder) => nearest_package(&folder).into(),
                Err(_) => folder,
            },
        }
    }

    /// Finds the file, and the root of its package unless `root` is given. The text ends like a
    /// handler setting: everything after the first dot of the last segment is the export, which may
    /// be nested, as in `index.orders.create`.
    pub(super) fn parse(text: &str, root: Option<&Path>) -> Result<Self> {
        let name = Path::new(text).file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        let (module, export) = name.split_once('.').unwrap_or_default();
        if module.is_empty() || export.is_empty() {
            return Err(no_original(format!(
                "`{text}`: expected a file and an export, such as `legacy/index.handler`"
            )));
        }
        let folder = Self::folder(text);
        let mut extensions = ["js", "mjs", "cjs"].iter();
        if !extensions.any(|extension| folder.join(format!("{module}.{extension}")).exists()) {
            let file = folder.join(module);
            return Err(no_original(format!(
                "`{text}`: there is no {}.js, .mjs or .cjs to export `{export}`; TypeScript has to be compiled",
                file.display()
            )));
        }
        let real = |path: &Path, what: &str| {
            let real = path.canonicalize();
            real.map_err(|error| no_original(format!("{what} `{}`: {error}", path.display())))
        };
        let root = real(&Self::root_of(text, root), "the root of the package")?;
        let folder = real(&folder, "the folder")?;
        let Ok(within) = folder.strip_prefix(&root) else {
            return Err(no_original(format!(
                "`{text}` is not in the folder {}, which was given as the root of its package",
                root.display()
            )));
        };
        let handler = within.join(name).to_string_lossy().replace('\\', "/");
        Ok(Original { root, handler })
    }
}

/// Returns the nearest folder with a `package.json`, which deployed packages have in their root.
/// Folders above the Git repository do not count.
fn nearest_package(folder: &Path) -> &Path {
    for above in folder.ancestors() {
        if above.join("package.json").is_file() {
            return above;
        }
        if above.join(".git").exists() {
            break;
        }
    }
    folder
}

fn no_original(message: String) -> Error {
    Error::ours("Runtime.NoOriginal", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder for one test, with these files.
    fn folder(test: &str, files: &[&str]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("nodeback-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        folder.canonicalize().unwrap()
    }

    #[test]
    fn the_root_is_the_nearest_package_or_the_one_that_is_given() {
        let files = [
            "package.json",
            "app/.git/HEAD",
            "app/index.js",
            "app/orders/package.json",
            "app/orders/dist/src/index.mjs",
        ];
        let top = folder("root", &files);
        for (text, root, expected) in [
            // Folders above the repository do not belong to the package.
            ("app/index.handler", None, ("app", "index.handler")),
            (
                "app/orders/dist/src/index.handler",
                None,
                ("app/orders", "dist/src/index.handler"),
            ),
            (
                "app/orders/dist/src/index.handler",
                Some("app/orders/dist"),
                ("app/orders/dist", "src/index.handler"),
            ),
            (
                "app/orders/dist/../dist/src/index.api.create",
                None,
                ("app/orders", "dist/src/index.api.create"),
            ),
        ] {
            let text = top.join(text).display().to_string();
            let root = root.map(|root| top.join(root));
            let original = Original::parse(&text, root.as_deref()).unwrap();
            assert_eq!(original.root, top.join(expected.0), "{text}");
            assert_eq!(original.handler, expected.1, "{text}");
            assert_eq!(Original::root_of(&text, root.as_deref()), original.root);
        }
        let text = top.join("app/index.handler").display().to_string();
        let elsewhere = Original::parse(&text, Some(&top.join("app/orders"))).unwrap_err();
        assert!(elsewhere.message().contains("is not in the folder"));
        let nowhere = Original::parse(&text, Some(Path::new("nowhere"))).unwrap_err();
        assert!(
            nowhere
                .message()
                .starts_with("the root of the package `nowhere`: ")
        );
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn an_original_is_a_file_and_an_export() {
        for text in ["", "index", "index.", ".handler", "legacy/", ".."] {
            let error = Original::parse(text, None).unwrap_err();
            let expected = "expected a file and an export";
            assert!(error.message().contains(expected), "{text} gave: {error}");
        }
    }
}
