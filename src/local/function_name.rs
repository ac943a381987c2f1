//! How a call names a function.

/// The function that a call named, by its name or an ARN.
#[derive(Debug, PartialEq)]
pub(super) struct FunctionName<'a> {
    pub(super) name: &'a str,
    pub(super) qualifier: Option<&'a str>,
}

impl<'a> FunctionName<'a> {
    /// Out of `name`, `name:qualifier`, a whole or a partial ARN.
    pub(super) fn parse(text: &'a str) -> Self {
        let rest = match text.split_once("function:") {
            Some((before, rest)) if before.ends_with(':') => rest,
            _ => text,
        };
        match rest.split_once(':') {
            Some((name, qualifier)) => FunctionName {
                name,
                qualifier: Some(qualifier),
            },
            None => FunctionName {
                name: rest,
                qualifier: None,
            },
        }
    }

    /// Whether it is one that AWS takes. A handler may make the path of a file of it.
    pub(super) fn is_valid(&self) -> bool {
        let is_word = |text: &str| {
            (1..=140).contains(&text.len())
                && !text.starts_with('.')
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let qualifier = self.qualifier.unwrap_or("$LATEST");
        is_word(self.name) && (qualifier == "$LATEST" || is_word(qualifier))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_any_form_that_aws_takes() {
        let named = |name, qualifier| FunctionName { name, qualifier };
        for (text, function) in [
            ("orders", named("orders", None)),
            ("orders:live", named("orders", Some("live"))),
            ("123456789012:function:orders", named("orders", None)),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:orders",
                named("orders", None),
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:orders:7",
                named("orders", Some("7")),
            ),
            ("function:live", named("function", Some("live"))),
        ] {
            assert_eq!(FunctionName::parse(text), function, "{text}");
        }
    }

    #[test]
    fn a_name_or_a_qualifier_that_could_be_a_path_is_none() {
        for text in [
            "orders",
            "orders-2_b.c",
            "o:live",
            "o:$LATEST",
            "function:7",
        ] {
            assert!(FunctionName::parse(text).is_valid(), "{text}");
        }
        let long = "o".repeat(141);
        for text in [
            "..",
            "../o",
            "o/p",
            "o\\p",
            "o\0",
            "o\r\nx: y",
            "ö",
            "",
            ":7",
            "o:",
            "o:..",
            "o:a:b",
            "o:$OLD",
            &long,
        ] {
            assert!(!FunctionName::parse(text).is_valid(), "{text:?}");
        }
    }
}
