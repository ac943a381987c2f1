//! The lines that Lambda itself writes about an invocation.

use super::{Format, INSTALLED, SETTINGS, now, tail, write};
use crate::error::Error;
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};

/// The result of an invocation, as Lambda reports it.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) took: Duration,
    /// The memory size of the function, in MB.
    pub(crate) memory: &'a str,
    /// The memory that was used, in MB.
    pub(crate) used: Option<u64>,
    pub(crate) error: Option<&'a Error>,
}

/// Writes the line for the start of an invocation.
pub(crate) fn start(request_id: &str, version: &str) {
    match SETTINGS.format {
        Format::Text => text(
            request_id,
            format!("START RequestId: {request_id} Version: {version}"),
        ),
        Format::Json => {
            let record = json!({ "requestId": request_id, "version": version });
            json(request_id, "platform.start", &record);
        }
    }
}

impl Report<'_> {
    /// Writes the lines for the end of an invocation.
    pub(crate) fn write(&self) {
        let request_id = self.request_id;
        if SETTINGS.format == Format::Text {
            text(request_id, format!("END RequestId: {request_id}"));
        }
        self.write_alone();
    }

    /// Writes the report without an `END` line.
    pub(crate) fn write_alone(&self) {
        let request_id = self.request_id;
        match SETTINGS.format {
            Format::Text => text(request_id, self.as_text()),
            Format::Json => json(request_id, "platform.report", &self.as_json()),
        }
    }

    fn as_text(&self) -> String {
        let Report {
            request_id,
            memory,
            used,
            ..
        } = self;
        let (duration, billed) = (duration(self.took), billed_millis(self.took));
        let used = used.map_or(String::new(), |mb| format!("\tMax Memory Used: {mb} MB"));
        format!(
            "REPORT RequestId: {request_id}\tDuration: {duration} ms\t\
             Billed Duration: {billed} ms\tMemory Size: {memory} MB{used}"
        )
    }

    fn as_json(&self) -> Value {
        let mut metrics = json!({
            "durationMs": (millis(self.took) * 1000.0).round() / 1000.0,
            "billedDurationMs": billed_millis(self.took),
        });
        let memory = self.memory.parse::<u64>().ok();
        for (name, mb) in [("memorySizeMB", memory), ("maxMemoryUsedMB", self.used)] {
            if let (Some(mb), Value::Object(metrics)) = (mb, &mut metrics) {
                metrics.insert(name.into(), mb.into());
            }
        }
        let record = json!({ "requestId": self.request_id, "metrics": metrics });
        let Value::Object(mut record) = record else {
            return record;
        };
        let error_type = self.error.map(Error::error_type);
        let status = match error_type {
            None => "success",
            Some("Sandbox.Timedout") => "timeout",
            Some(_) => "error",
        };
        record.insert("status".into(), status.into());
        if let Some(error_type) = error_type {
            record.insert("errorType".into(), error_type.into());
        }
        record.into()
    }
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}

/// Returns a duration in milliseconds, as the `REPORT` line contains it.
pub(crate) fn duration(took: Duration) -> String {
    format!("{:.2}", millis(took))
}

/// Returns the duration that Lambda bills, in whole milliseconds.
pub(crate) fn billed_millis(took: Duration) -> u64 {
    u64::try_from(took.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn text(request_id: &str, line: String) {
    platform_line(request_id, line, |line| match SETTINGS.color {
        true => format!("\x1b[2m{line}\x1b[0m"),
        false => line.to_owned(),
    });
}

/// Adds a line to the tails of the log, and writes it if this crate writes the program's log.
fn platform_line(request_id: &str, line: String, painted: impl FnOnce(&str) -> String) {
    tail::add(request_id, &line);
    if INSTALLED.load(Ordering::Acquire) {
        write(line, painted);
    }
}

fn json(request_id: &str, event: &str, record: &Value) {
    let line = json!({ "time": now(), "type": event, "record": record }).to_string();
    platform_line(request_id, line, str::to_owned);
}

/// Returns the peak memory of the process, in MB, if the system reports it.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kb| kb.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(error: Option<&Error>) -> Report<'_> {
        Report {
            request_id: "id",
            took: Duration::from_micros(2_346),
            memory: "128",
            used: Some(7),
            error,
        }
    }

    #[test]
    fn a_report_has_lambdas_form_in_both_formats() {
        assert_eq!(
            report(None).as_text(),
            "REPORT RequestId: id\tDuration: 2.35 ms\tBilled Duration: 3 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 7 MB"
        );
        assert_eq!(
            report(None).as_json().to_string(),
            r#"{"requestId":"id","metrics":{"durationMs":2.346,"billedDurationMs":3,"memorySizeMB":128,"maxMemoryUsedMB":7},"status":"success"}"#
        );
    }

    #[test]
    fn a_report_in_json_has_the_status() {
        for (error_type, status) in [("Sandbox.Timedout", "timeout"), ("OrderNotFound", "error")] {
            let error = Error::new(error_type, "");
            let record = report(Some(&error)).as_json();
            assert_eq!(
                (&record["status"], &record["errorType"]),
                (&json!(status), &json!(error_type))
            );
        }
    }
}
