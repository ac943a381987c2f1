//! Reports as HTML pages: each is one file that requests nothing, with a light and a dark form.

#[cfg(feature = "parity")]
mod distribution;
#[cfg(feature = "parity")]
mod plot;

#[cfg(feature = "parity")]
pub(crate) use self::{distribution::Distribution, plot::histograms};

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The content security policy, which allows only the styles in the page itself. Even a text that
/// is not escaped by mistake cannot run a script.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The styles of every page.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Returns a whole page. `maud` escapes every text in `content`.
pub(crate) fn page(title: &str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("nodeback ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (content)
                }
            }
        }
    };
    page.into_string()
}
