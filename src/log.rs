//! Log lines on standard error with the field names of Prometheus' own
//! programs: `time`, `level`, `source`, `msg`, then the event's fields, as
//! logfmt or as one JSON object a line.
//!
//! A line stays a line: whatever a field holds, control characters are
//! escaped, so nothing pushed can forge a second one or move the cursor of a
//! terminal.

use std::error::Error;
use std::fmt::{self, Debug, Write};
use std::str::FromStr;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::unseen::is_unseen;

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `time=... level=INFO source=main.rs:7 msg="a message" key=value`
    Logfmt,
    /// `{"time":"...","level":"INFO","source":"main.rs:7","msg":"a message","key":"value"}`
    Json,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err("expected logfmt or json"),
        }
    }
}

/// Reads a level as `--log.level` takes it, in any case.
///
/// # Errors
///
/// Which words are allowed.
pub fn parse_level(text: &str) -> Result<Level, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "debug" => Ok(Level::DEBUG),
        "info" => Ok(Level::INFO),
        "warn" => Ok(Level::WARN),
        "error" => Ok(Level::ERROR),
        _ => Err("expected debug, info, warn or error"),
    }
}

/// Sends the events of the whole process from `level` on to standard error. Of
/// several calls the first holds.
pub fn init(level: Level, format: Format) {
    let subscriber = subscriber(level, format, Clock::system(), std::io::stderr);
    // It fails only if there is one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn subscriber<W>(
    level: Level,
    format: Format,
    clock: Clock,
    out: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Of libraries no more than `info`: debugging HTTP/2 frames is nobody's business here.
    let others = level.min(Level::INFO);
    let targets = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_default(others);
    tracing_subscriber::fmt()
        // A failed write would be reported on standard error, by a macro that
        // panics if that is closed.
        .log_internal_errors(false)
        .with_max_level(level)
        .event_format(Lines { format, clock })
        .with_writer(out)
        .finish()
        .with(targets)
}

/// Formats an event as one line.
struct Lines {
    format: Format,
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut line = Line::new(self.format);
        let wall = self.clock.wall().system_time();
        line.text("time", &humantime::format_rfc3339_millis(wall).to_string());
        line.text("level", event.metadata().level().as_str());
        line.text("source", &source(event.metadata()));
        line.text("msg", &message.0);
        event.record(&mut line);
        out.write_str(&line.finish())
    }
}

/// Where an event stands in the code; its module if that is not known.
fn source(metadata: &Metadata<'_>) -> String {
    match (metadata.file(), metadata.line()) {
        (Some(file), Some(line)) => place(file, line),
        _ => metadata.target().to_owned(),
    }
}

/// A place in the code, short: `main.rs:7`, `ttl/mod.rs:42`.
fn place(file: &str, line: u32) -> String {
    let mut parts = file.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or(file);
    match parts.next() {
        Some(folder) if name == "mod.rs" => format!("{folder}/{name}:{line}"),
        _ => format!("{name}:{line}"),
    }
}

/// A line in the making. As a visitor it takes an event's fields, all but the
/// message, which stands before them.
struct Line {
    format: Format,
    written: String,
}

impl Line {
    fn new(format: Format) -> Self {
        Self {
            format,
            written: String::with_capacity(200),
        }
    }

    fn finish(mut self) -> String {
        if self.format == Format::Json {
            self.written.push('}');
        }
        self.written.push('\n');
        self.written
    }

    fn key(&mut self, key: &str) {
        let first = self.written.is_empty();
        match self.format {
            Format::Logfmt => {
                if !first {
                    self.written.push(' ');
                }
                self.written.push_str(key);
                self.written.push('=');
            }
            Format::Json => {
                self.written.push(if first { '{' } else { ',' });
                quote(&mut self.written, key);
                self.written.push(':');
            }
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        if self.format == Format::Json || needs_quotes(value) {
            quote(&mut self.written, value);
        } else {
            self.written.push_str(value);
        }
    }

    /// A value that both forms write as it is.
    fn bare(&mut self, field: &Field, value: &dyn Debug) {
        self.key(field.name());
        push(&mut self.written, format_args!("{value:?}"));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != MESSAGE {
            self.text(field.name(), value);
        }
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            push(&mut chain, format_args!(": {cause}"));
            source = cause.source();
        }
        self.record_str(field, &chain);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.bare(field, &value);
        } else {
            self.record_debug(field, &value);
        }
    }
}

/// The name tracing gives the text of an event.
const MESSAGE: &str = "message";

/// Takes the text of an event alone.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            push(&mut self.0, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0.push_str(value);
        }
    }
}

fn push(out: &mut String, arguments: fmt::Arguments<'_>) {
    // A String takes everything; a value that fails to show itself stays short.
    let _ = out.write_fmt(arguments);
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty()
        || value
            .chars()
            .any(|c| matches!(c, ' ' | '=' | '"' | '\\') || is_unseen(c))
}

/// Writes a JSON string; readers of logfmt take the same escapes.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unseen(c) => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};
    use std::process::{Command, Stdio};
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;
    use crate::clock::UnixNanos;

    const NOON: UnixNanos = UnixNanos(1_795_316_820_500_999_999);

    /// Keeps what is written, one entry for each call.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<Vec<u8>>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The writes that `events` leads to.
    fn logged(level: Level, format: Format, events: impl FnOnce()) -> Vec<String> {
        let sink = Sink::default();
        let (clock, _hands) = Clock::manual(NOON);
        let writer = sink.clone();
        let subscriber = subscriber(level, format, clock, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        let calls = sink.0.lock().unwrap();
        calls
            .iter()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            .collect()
    }

    fn one_of_each() {
        let no_space = Layer("no space left", None);
        let on_disk = Layer("cannot write", Some(Box::new(no_space)));
        let error = Layer("cannot commit", Some(Box::new(on_disk)));
        tracing::warn!(
            path = "/metrics/job/x",
            groups = 3_u64,
            left = -1_i64,
            ok = true,
            seconds = 0.25,
            ratio = f64::NAN,
            r#type = "gauge",
            shown = %"a b",
            seen = ?"q\"",
            error = &error as &dyn Error,
            "a push was {}",
            "refused"
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    /// The line number is the only part of a line that a test cannot know.
    fn without_line_number(line: &str) -> String {
        let (head, tail) = line.split_once("log.rs:").unwrap();
        format!(
            "{head}log.rs:N{}",
            tail.trim_start_matches(|c: char| c.is_ascii_digit())
        )
    }

    #[test]
    fn logfmt_lines_have_the_field_names_of_prometheus() {
        let writes = logged(Level::INFO, Format::Logfmt, one_of_each);
        assert_eq!(
            writes.len(),
            1,
            "a line is written at once, so that lines do not mix"
        );
        assert_eq!(
            without_line_number(&writes[0]),
            "time=2026-11-22T03:07:00.500Z level=WARN source=log.rs:N msg=\"a push was refused\" \
             path=/metrics/job/x groups=3 left=-1 ok=true seconds=0.25 ratio=NaN type=gauge \
             shown=\"a b\" seen=\"\\\"q\\\\\\\"\\\"\" error=\"cannot commit: cannot write: no space left\"\n"
        );
    }

    #[test]
    fn json_lines_have_the_same_fields() {
        let writes = logged(Level::INFO, Format::Json, one_of_each);
        assert_eq!(
            without_line_number(&writes[0]),
            "{\"time\":\"2026-11-22T03:07:00.500Z\",\"level\":\"WARN\",\"source\":\"log.rs:N\",\
             \"msg\":\"a push was refused\",\"path\":\"/metrics/job/x\",\"groups\":3,\"left\":-1,\
             \"ok\":true,\"seconds\":0.25,\"ratio\":\"NaN\",\"type\":\"gauge\",\"shown\":\"a b\",\
             \"seen\":\"\\\"q\\\\\\\"\\\"\",\"error\":\"cannot commit: cannot write: no space left\"}\n"
        );
    }

    #[test]
    fn messages_below_the_level_are_not_logged() {
        for (level, lines) in [
            (Level::DEBUG, 4),
            (Level::INFO, 3),
            (Level::WARN, 2),
            (Level::ERROR, 1),
        ] {
            let writes = logged(level, Format::Logfmt, || {
                tracing::debug!("d");
                tracing::info!("i");
                tracing::warn!("w");
                tracing::error!("e");
            });
            assert_eq!(writes.len(), lines, "{level}");
        }
    }

    #[test]
    fn the_source_is_the_file_alone_unless_that_says_nothing() {
        for (file, shown) in [
            ("src/main.rs", "main.rs:7"),
            ("src/store/record.rs", "record.rs:7"),
            ("src/ttl/mod.rs", "ttl/mod.rs:7"),
            ("mod.rs", "mod.rs:7"),
        ] {
            assert_eq!(place(file, 7), shown);
        }
    }

    #[test]
    fn levels_and_formats_are_read() {
        for (text, level) in [
            ("debug", Level::DEBUG),
            ("INFO", Level::INFO),
            ("Warn", Level::WARN),
        ] {
            assert_eq!(parse_level(text), Ok(level));
        }
        assert!(parse_level("trace").is_err() && parse_level("").is_err());
        assert_eq!("json".parse(), Ok(Format::Json));
        assert!("JSON".parse::<Format>().is_err());
    }

    #[test]
    fn text_that_could_break_a_line_is_quoted_and_escaped() {
        for (text, logfmt) in [
            ("", "\"\""),
            ("plain/:,{}'", "plain/:,{}'"),
            ("\u{4e2d}\u{6587}", "\u{4e2d}\u{6587}"),
            ("a b", "\"a b\""),
            ("a=b", "\"a=b\""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
            ("C:\\x", "\"C:\\\\x\""),
            ("a\r\n\tb", "\"a\\r\\n\\tb\""),
            ("\0\u{1b}[2J\u{7f}", "\"\\u0000\\u001b[2J\\u007f\""),
            ("\u{85}\u{2028}\u{202e}", "\"\\u0085\\u2028\\u202e\""),
        ] {
            let line = &logged(Level::INFO, Format::Logfmt, || tracing::info!(text, "m"))[0];
            assert!(line.ends_with(&format!(" msg=m text={logfmt}\n")), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_json_line_that_reads_back(text in any::<String>(), field: String) {
            let writes = logged(Level::INFO, Format::Json, || tracing::info!(field, "{text}"));
            prop_assert_eq!(writes.len(), 1);
            prop_assert_eq!(writes[0].matches('\n').count(), 1);
            let read: serde_json::Value = serde_json::from_str(&writes[0]).unwrap();
            prop_assert_eq!(read["msg"].as_str(), Some(text.as_str()));
            prop_assert_eq!(read["field"].as_str(), Some(field.as_str()));
        }

        #[test]
        fn any_text_is_one_logfmt_line(text in any::<String>()) {
            let line = &logged(Level::INFO, Format::Logfmt, || tracing::info!("{text}"))[0];
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(!text.contains(char::is_control), "{:?}", text);
        }
    }

    const CHILD: &str = "TIDEGATE_TEST_LOG_CHILD";

    /// Runs itself again with a standard error whose reader is gone.
    #[test]
    fn a_closed_standard_error_does_not_panic() {
        if std::env::var_os(CHILD).is_some() {
            init(Level::INFO, Format::Logfmt);
            tracing::error!("nobody reads this");
            let _ = io::stdout().write_all(b"still alive\n");
            return;
        }
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "log::tests::a_closed_standard_error_does_not_panic",
                "--nocapture",
            ])
            .env(CHILD, "1")
            .stderr(Stdio::from(writer))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && printed.contains("still alive"),
            "{printed}"
        );
    }
}
