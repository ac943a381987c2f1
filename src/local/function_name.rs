//! The names by which requests refer to functions.

use super::rejection::Rejection;
use regex_lite::Regex;
use std::sync::LazyLock;

/// The function that a request names, by its name or by an ARN, with a qualifier if there is one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FunctionName<'a> {
    partition: Option<&'a str>,
    region: Option<&'a str>,
    account: Option<&'a str>,
    pub(super) name: &'a str,
    qualifier: Option<&'a str>,
}

/// The pattern that AWS quotes when it rejects the name of a function.
const NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";

/// The pattern that AWS quotes when it rejects a qualifier.
const QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

/// The longest text that AWS reads as the name of a function, with everything around it.
const LONGEST: usize = 256;
const LONGEST_NAME: usize = 64;
const LONGEST_QUALIFIER: usize = 128;

/// Compiles a pattern that has to match the whole text. Both patterns are valid, as the tests show,
/// so this is never `None`.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

impl<'a> FunctionName<'a> {
    /// Returns a plain name, without an ARN or a qualifier.
    pub(super) fn of(name: &'a str) -> Self {
        FunctionName {
            name,
            ..FunctionName::default()
        }
    }

    /// Parses the name of a function, an ARN or a part of one, and the `Qualifier` of the query.
    ///
    /// # Errors
    ///
    /// Returns AWS's response to a malformed name, or to two qualifiers that differ.
    pub(super) fn parse(text: &'a str, qualifier: Option<&'a str>) -> Result<Self, Rejection> {
        // An empty qualifier counts as missing, as in AWS's older pattern, `(|[a-zA-Z0-9$_-]+)`.
        let qualifier = qualifier.filter(|qualifier| !qualifier.is_empty());
        let mistakes = qualifier.and_then(mistake_in_qualifier);
        let (mut function, mistakes) = match (Self::matched(text), mistakes) {
            (Ok(function), None) => (function, Vec::new()),
            (Ok(function), Some(mistake)) => (function, vec![mistake]),
            (Err(mistake), None) => (FunctionName::default(), vec![mistake]),
            (Err(mistake), Some(first)) => (FunctionName::default(), vec![first, mistake]),
        };
        if !mistakes.is_empty() {
            return Err(Rejection::validation(&mistakes));
        }
        if let (Some(one), Some(other)) = (function.qualifier, qualifier) {
            if one != other {
                return Err(Rejection::parameter(
                    "The derived qualifier from the function name does not match the specified \
                     qualifier.",
                ));
            }
        }
        function.qualifier = qualifier.or(function.qualifier);
        Ok(function)
    }

    fn matched(text: &'a str) -> Result<Self, String> {
        static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| whole(NAME));
        let parts = PATTERN.as_ref().and_then(|pattern| pattern.captures(text));
        let parts = parts.ok_or_else(|| unmatched("functionName", text, NAME))?;
        if text.len() > LONGEST {
            return Err(too_long("functionName", text, LONGEST));
        }
        let part = |group| Some(parts.get(group)?.as_str());
        let before_colon = |group| part(group)?.strip_suffix(':');
        Ok(FunctionName {
            partition: part(2),
            region: before_colon(3),
            account: before_colon(9),
            name: part(11).unwrap_or_default(),
            qualifier: part(13),
        })
    }

    /// Returns a name that need not match AWS's pattern, with a qualifier that has to.
    ///
    /// # Errors
    ///
    /// Returns AWS's response to a malformed qualifier, or to one that cannot exist.
    pub(super) fn qualified(
        name: &'a str,
        qualifier: Option<&'a str>,
        region: &'a str,
    ) -> Result<Self, Rejection> {
        let FunctionName { qualifier, .. } = FunctionName::parse("function", qualifier)?;
        let function = FunctionName {
            qualifier,
            ..FunctionName::of(name).placed_in(region)
        };
        match qualifier.is_some_and(is_unknown) {
            true => Err(Rejection::no_function(function.not_found())),
            false => Ok(function),
        }
    }

    /// Places the function in the region of the server.
    pub(super) fn placed_in(mut self, region: &'a str) -> Self {
        self.region = Some(region);
        self
    }

    /// Places the function in the region of the server, and checks that it can exist there.
    ///
    /// # Errors
    ///
    /// Returns AWS's response to a function in another region, or with a name that cannot exist.
    pub(super) fn in_region(self, region: &'a str) -> Result<Self, Rejection> {
        if let Some(other) = self.region.filter(|other| *other != region) {
            return Err(Rejection::no_function(format!(
                "Functions from '{other}' are not reachable in this region ('{region}')"
            )));
        }
        let function = self.placed_in(region);
        // AWS creates no function with such a name, which a handler might take for a path.
        let cannot_exist = function.name.len() > LONGEST_NAME || function.name.starts_with('.');
        if cannot_exist || function.qualifier.is_some_and(is_unknown) {
            return Err(Rejection::no_function(function.not_found()));
        }
        Ok(function)
    }

    /// Returns AWS's message for a function that does not exist.
    pub(super) fn not_found(&self) -> String {
        let (arn, qualifier) = (self.unqualified_arn(), self.qualifier.unwrap_or(LATEST));
        format!("Function not found: {arn}:{qualifier}")
    }

    /// Returns the version that runs. No versions are published locally, so any number counts as a
    /// version, and any alias points to `$LATEST`, as an alias may on AWS.
    pub(super) fn version(&self) -> &'a str {
        let is_version =
            |text: &&str| is_latest(text) || text.bytes().all(|byte| byte.is_ascii_digit());
        self.qualifier.filter(is_version).unwrap_or(LATEST)
    }

    /// Returns the ARN that the function was called by, with the qualifier of the call.
    pub(super) fn arn(&self) -> String {
        let arn = self.unqualified_arn();
        match self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }

    /// Returns the ARN of the version that runs.
    pub(super) fn version_arn(&self) -> String {
        format!("{}:{}", self.unqualified_arn(), self.version())
    }

    fn unqualified_arn(&self) -> String {
        let region = self.region.unwrap_or(DEFAULT_REGION);
        let partition = self.partition.unwrap_or_else(|| partition_of(region));
        let (account, name) = (self.account.unwrap_or(DEFAULT_ACCOUNT), self.name);
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }
}

/// The region if neither the server nor the client specifies one.
pub(super) const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_ACCOUNT: &str = "123456789012";
const LATEST: &str = "$LATEST";

fn is_latest(qualifier: &str) -> bool {
    matches!(qualifier, LATEST | "$LATEST.PUBLISHED")
}

/// Returns whether no version and no alias can have this name.
fn is_unknown(qualifier: &str) -> bool {
    qualifier.contains('$') && !is_latest(qualifier)
}

fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

fn mistake_in_qualifier(text: &str) -> Option<String> {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| whole(QUALIFIER));
    if text.len() > LONGEST_QUALIFIER {
        return Some(too_long("qualifier", text, LONGEST_QUALIFIER));
    }
    let matches = PATTERN
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text));
    (!matches).then(|| unmatched("qualifier", text, QUALIFIER))
}

fn unmatched(member: &str, text: &str, pattern: &str) -> String {
    let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
    format!("Value '{text}' at '{member}' failed to satisfy constraint: {constraint}")
}

fn too_long(member: &str, text: &str, longest: usize) -> String {
    let constraint = format!("Member must have length less than or equal to {longest}");
    format!("Value '{text}' at '{member}' failed to satisfy constraint: {constraint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

    fn found(text: &str, qualifier: Option<&str>) -> (String, String, String) {
        let function = FunctionName::parse(text, qualifier)
            .and_then(|function| function.in_region("us-east-1"))
            .unwrap();
        (
            function.name.into(),
            function.version().into(),
            function.arn(),
        )
    }

    fn rejected(text: &str, qualifier: Option<&str>) -> String {
        let function = FunctionName::parse(text, qualifier);
        let rejection = function.and_then(|function| function.in_region("us-east-1"));
        format!("{:?}", rejection.unwrap_err())
    }

    #[test]
    fn every_form_of_a_name_gives_the_arn_that_was_called() {
        let with = |rest: &str| format!("{ARN}{rest}");
        for (text, name, arn) in [
            ("orders", "orders", ARN),
            ("function:orders", "orders", ARN),
            ("123456789012:orders", "orders", ARN),
            ("us-east-1:orders", "orders", ARN),
            ("us-east-1:123456789012:function:orders", "orders", ARN),
            (ARN, "orders", ARN),
            ("orders:live", "orders", &with(":live")),
            ("function:orders:7", "orders", &with(":7")),
            (&with(":$LATEST"), "orders", &with(":$LATEST")),
            (
                "arn:aws-cn:lambda:us-east-1:999999999999:function:orders",
                "orders",
                "arn:aws-cn:lambda:us-east-1:999999999999:function:orders",
            ),
            // Without a name after it, `function` is the name.
            (
                "arn:aws:lambda:us-east-1:123456789012:function",
                "function",
                "arn:aws:lambda:us-east-1:123456789012:function:function",
            ),
            (
                "function:$LATEST",
                "function",
                "arn:aws:lambda:us-east-1:123456789012:function:function:$LATEST",
            ),
        ] {
            let (found_name, _, found_arn) = found(text, None);
            assert_eq!(
                (found_name.as_str(), found_arn.as_str()),
                (name, arn),
                "{text}"
            );
        }
    }

    #[test]
    fn a_qualifier_decides_the_version() {
        for (qualifier, version) in [
            ("7", "7"),
            ("0012", "0012"),
            ("$LATEST", "$LATEST"),
            ("$LATEST.PUBLISHED", "$LATEST.PUBLISHED"),
            ("live", "$LATEST"),
            ("v1_2-b", "$LATEST"),
            ("7b", "$LATEST"),
        ] {
            let expected = (
                "orders".into(),
                version.into(),
                format!("{ARN}:{qualifier}"),
            );
            assert_eq!(found("orders", Some(qualifier)), expected);
            assert_eq!(found(&format!("orders:{qualifier}"), None), expected);
            let both = format!("{ARN}:{qualifier}");
            assert_eq!(found(&both, Some(qualifier)), expected);
        }
        for none in [None, Some("")] {
            assert_eq!(found("orders", none).1, "$LATEST");
            assert_eq!(found("orders", none).2, ARN);
        }
    }

    #[test]
    fn a_malformed_name_is_rejected_with_awss_pattern() {
        let long = format!("{ARN}{}", "x".repeat(LONGEST));
        for text in [
            "",
            "orders!",
            "orders page",
            "o/p",
            "o\\p",
            "o\0",
            "orders\n",
            "ö",
            ":7",
            "orders:",
            "orders:v1.2",
            "orders:$LATES",
            "orders:a:b",
            "12345:function:orders",
            "nowhere-1:123456789012:function:orders",
            "arn:aws:lambda::123456789012:function:orders",
            "arn:aws:lambda:us-east-1::function:orders",
            "arn:aws:sqs:us-east-1:123456789012:orders",
            &long,
        ] {
            let rejection = rejected(text, None);
            assert!(rejection.contains("400"), "{rejection}");
            assert!(
                rejection.contains("1 validation error detected: Value '"),
                "{rejection}"
            );
            assert!(rejection.contains("at 'functionName'"), "{rejection}");
        }
        let longest = "q".repeat(LONGEST_QUALIFIER + 1);
        for qualifier in ["v1.2", "a b", "ż", ":", &longest] {
            let rejection = rejected("orders", Some(qualifier));
            assert!(rejection.contains("at 'qualifier'"), "{rejection}");
        }
        let rejection = rejected("orders!", Some("v1.2"));
        assert!(
            rejection.contains("2 validation errors detected"),
            "{rejection}"
        );
    }

    #[test]
    fn two_qualifiers_have_to_be_the_same() {
        for text in ["orders:live", "orders:$LATEST", "orders:8"] {
            let rejection = rejected(text, Some("7"));
            assert!(rejection.contains("InvalidParameterValue"), "{rejection}");
            assert!(
                rejection.contains("does not match the specified"),
                "{rejection}"
            );
        }
    }

    #[test]
    fn a_function_that_cannot_exist_is_not_found() {
        let long = "o".repeat(LONGEST_NAME + 1);
        for (text, qualifier) in [
            ("orders", Some("$latest")),
            ("orders", Some("a$b")),
            ("..", None),
            (".env", None),
            (&long, None),
        ] {
            let rejection = rejected(text, qualifier);
            assert!(rejection.contains("404"), "{rejection}");
            let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{text}");
            let qualifier = qualifier.unwrap_or("$LATEST");
            let message = format!("Function not found: {arn}:{qualifier}");
            assert!(rejection.contains(&message), "{rejection}");
        }
        let elsewhere = "arn:aws:lambda:eu-west-1:123456789012:function:orders";
        let message = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
        assert!(rejected(elsewhere, None).contains(message));
    }

    #[test]
    fn the_partition_is_that_of_the_region() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let arn = FunctionName::of("orders").placed_in(region).arn();
            let expected = format!("arn:{partition}:lambda:{region}:123456789012:function:orders");
            assert_eq!(arn, expected);
            let called = format!("{region}:orders");
            let function = FunctionName::parse(&called, None).unwrap();
            assert_eq!(function.in_region(region).unwrap().arn(), expected);
        }
    }
}
