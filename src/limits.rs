//! Every bound of the program, in one place, each with its reason.
//!
//! What is over a bound is answered with an error that names it; nothing waits
//! or grows without one. Bounds that operators can set have their default here. What only
//! says how work is divided under a lock, or on which thread it is done, stands beside the work.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ---- One request ----

/// A request body as sent (`--push.max-body-size`), else 413. A push of 100,000
/// series is 9 MB; this leaves room for the largest seen and one more doubling.
pub const MAX_BODY: usize = 64 * MIB;

/// A request body after decompression, else 413. Text compresses about tenfold,
/// a bomb a thousandfold.
pub const MAX_INFLATED: usize = 256 * MIB;

/// Bytes of all pushes from their first byte to their answer: what has come of the
/// body, with what it inflates to, then what is rendered of it; who comes later gets
/// 503. What is parsed is not counted, but see [`LARGE_PUSHES`]: one of [`MAX_BODY`]
/// takes up to 450 MB beside its body while it is stored, so that a gateway that has
/// 1 GB survives any number of them. Also the upper bound of `--push.max-body-size`: a
/// larger body could never be let in.
pub const BODY_BYTES_IN_FLIGHT: usize = 256 * MIB;

/// The time a client has for its request head, else the connection is closed:
/// a slow client must not hold one for free.
pub const HEADER_TIME: Duration = Duration::from_secs(10);

/// How long a body may stand still between two pieces, for the same reason.
pub const BODY_IDLE_TIME: Duration = Duration::from_secs(30);

/// How long a body may take in all: until it is there it holds its share of the memory for
/// bodies. [`MAX_BODY`] fits at 2 Mbit/s.
pub const BODY_TIME: Duration = Duration::from_mins(5);

/// How long a client may take nothing of an answer, for the same reason.
pub const ANSWER_IDLE_TIME: Duration = Duration::from_secs(30);

/// Header lines of one request, else 431. Clients send about ten, proxies add
/// about ten.
pub const HEADERS: usize = 100;

/// Bytes of the request head, else 431: the path and as much again.
pub const HEAD_BYTES: usize = 64 * KIB;

/// The same, for HTTP/2.
pub const HEAD_BYTES_U32: u32 = 64 * 1024;

/// Bytes of the path, else 414. Grouping keys stand in the path.
pub const PATH_BYTES: usize = 32 * KIB;

/// Bytes of a grouping key, however it comes (addresses, the batch API, imports): what an
/// address can hold.
pub const KEY_BYTES: usize = PATH_BYTES;

/// Bytes of memory taken for a body because its head says that they come; the rest is taken as
/// they come.
pub const BODY_RESERVED: usize = 64 * KIB;

/// Large pushes parsed and rendered at the same time; who comes later waits. What
/// is parsed takes up to twenty times the memory of its body, and one writer
/// stores no faster than two threads can prepare.
pub const LARGE_PUSHES: u32 = 2;

/// A push above so many bytes takes the places of all [`LARGE_PUSHES`]: what is parsed of one of
/// [`MAX_BODY`] takes more than 200 MB.
pub const VERY_LARGE_PUSH: usize = 16 * MIB;

/// Series (sample lines) of one push, buckets and quantiles included, and as many
/// families; else 413. The largest push seen has a tenth of it. A series in
/// memory is far larger than the four bytes it can be in a body.
pub const SERIES_PER_PUSH: usize = 1_000_000;

/// Labels of all series of one push, else 413: ten for each series.
pub const LABELS_PER_PUSH: usize = 10 * SERIES_PER_PUSH;

/// Labels of one series, grouping labels included, else 413. Real ones have up
/// to about 30.
pub const LABELS_PER_SERIES: usize = 512;

/// Faults named in the answer to one push.
pub const NAMED_FAULTS: usize = 100;

/// Bytes of a series' labels in such an answer.
pub const SHOWN_LABELS: usize = 2 * KIB;

// ---- Connections ----

/// Open connections in all; who comes later gets 503 and is closed. None per
/// address: proxies and NAT make many pushers look like one.
pub const CONNECTIONS: usize = 4096;

/// How long pushes, deletes and scrapes wait for the store while it is being loaded, else 503: a
/// million series take a second, and who pushes from a cron job does not push again. Shorter than the
/// 10 s after which Prometheus, and pushing clients that have a limit, give up unless told otherwise.
pub const LOAD_TIME: Duration = Duration::from_secs(5);

/// The listen queue handed to the kernel, which cuts it to its own bound.
pub const LISTEN_BACKLOG: u32 = 4096;

/// Between two log lines of connections that cannot be accepted: without file descriptors there
/// are ten such failures a second.
pub const ACCEPT_LOG_TIME: Duration = Duration::from_mins(1);

/// How long a connection may be idle between requests. Longer than the 60 s
/// that Prometheus leaves between scrapes by default, so that it can reuse one.
pub const IDLE_TIME: Duration = Duration::from_secs(75);

/// How long nothing is accepted when the system gives no more sockets.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a shutdown waits for requests in flight. Shorter than the 30 s that
/// Kubernetes waits before it kills.
pub const DRAIN_TIME: Duration = Duration::from_secs(20);

// ---- Scrapes ----

/// Scrapes answered at the same time; who comes later waits, because a refused
/// scrape is a gap in the data. But see [`SCRAPE_STALL_TIME`].
pub const SCRAPES: usize = 16;

/// The time a scraper has to take its answer, if it sends no
/// `X-Prometheus-Scrape-Timeout-Seconds`. A slow one holds memory.
pub const SCRAPE_TIME: Duration = Duration::from_mins(1);

/// How long a scraper may take nothing of its answer while another waits for one of these places:
/// sixteen that read nothing would hold up all others for [`ANSWER_IDLE_TIME`]. Socket buffers of
/// some megabytes empty in bursts, so that a scraper that takes 1 MB a second may stand for a second.
pub const SCRAPE_STALL_TIME: Duration = Duration::from_secs(2);

/// How often a scrape that waits for a place looks for one that has come to stand so long.
pub const SCRAPE_STALL_LOOK: Duration = Duration::from_millis(250);

/// Answers at the same time that show everything stored (`/api/v1/metrics`); who comes
/// later waits. Each holds a snapshot of the store and a thread.
pub const DUMPS: usize = 4;

/// Answers at once that are made of stored facts, further ones wait: each may unpack a whole
/// group, or list every key, and goes on when its client has gone.
pub const READERS: usize = 8;

/// Bytes that scrapes but the newest may hold and nothing else needs, in all forms together:
/// chunks that have been replaced, and what was made for one scraper. Or as many as the
/// exposition has where that is more. Beyond it those that began longest ago are cut off: sixteen slow scrapers
/// would otherwise hold sixteen old expositions.
pub const REPLACED_BYTES: usize = 64 * MIB;

/// Bytes made for one scraper that do not count there: the gateway's own metrics, and what is
/// compressed or printed ahead of what it has taken.
pub const SCRAPE_OWN_BYTES: usize = MIB;

/// Frames of the text forms of protobuf printed ahead of what a scraper has taken.
pub const PRINTED_AHEAD: usize = 8;

/// Addresses of scrapers whose interval is watched; who came longest ago is forgotten.
pub const SCRAPERS: usize = 64;

/// Rendered text held in one piece of the view. Small enough that a push copies
/// little while a scrape holds it, large enough to compress well.
pub const CHUNK_BYTES: usize = 32 * KIB;

/// How long the exposition is kept encoded otherwise than in the text that everybody is
/// given (protobuf, other escapings of names) when nobody scrapes it so. Longer than
/// scrape intervals are; it takes as much memory as the text.
pub const FORM_IDLE: Duration = Duration::from_mins(10);

/// Such encodings kept at the same time; a further one takes the place of the one not
/// used for longest. Two are what two Prometheus servers of different versions need.
pub const FORMS: usize = 2;

// ---- Writing ----

/// Pushes waiting for the writer, else 503 with Retry-After: at 20,000 pushes a
/// second that is a wait of 50 ms.
pub const QUEUE: usize = 1024;

/// Pushes in one transaction. More per fsync gains nothing measurable.
pub const BATCH: usize = 1024;

/// Bytes of pushes in one transaction, so that large pushes do not make the small
/// ones beside them wait for long. One push may be larger and then is alone.
pub const BATCH_BYTES: usize = 32 * MIB;

/// Groups that are changed at once by what concerns very many: reaping, wipes, deletes and
/// overrides by matcher, new TTL rules. One slice is under way at a time and pushes pass
/// between two; a push waits for some milliseconds of it. Half as many took a third longer
/// for all of a wipe, since every slice is a transaction with a sync of its own.
pub const SLICE: usize = 512;

/// Log lines of expired groups in a second; one more then says how many had none.
pub const EXPIRED_LINES: usize = 10;

/// Log lines in a minute of clients that are refused for their certificate, or do not take ours;
/// one more then says how many had none.
pub const MISTRUST_LINES: usize = 10;

/// Log lines in a minute of other TLS handshakes that fail, such as those of scanners; likewise.
pub const HANDSHAKE_LINES: usize = 1;

/// As many bytes of rows, or a little more, are decoded together at a start. Large enough that
/// handing them to another thread costs nothing beside the work on them.
pub const ROWS_BYTES: usize = 256 * KIB;

/// redb's page cache. Its own default of 1 GiB costs 150 MB of memory for
/// nothing: what is scraped lives in the view.
pub const STORE_CACHE: usize = 64 * MIB;

/// The first wait before a failed store is opened again; it doubles each time.
pub const REOPEN_FIRST: Duration = Duration::from_secs(1);

/// The longest wait before a failed store is opened again: a disk that has room
/// again is used within half a minute.
pub const REOPEN_LONGEST: Duration = Duration::from_secs(30);

/// A difference between the wall clock and TTL time worth a log line.
pub const CLOCK_DRIFT: Duration = Duration::from_mins(1);

/// Rendered text of one push, bytes. Labels of the address are repeated in every
/// line, so a body below its own limit could be rendered without one. Also what
/// keeps positions inside a chunk of the view within 32 bits.
pub const RENDERED_BYTES: usize = BODY_BYTES_IN_FLIGHT;

/// Text of a refusal kept with the group, bytes.
pub const FAILURE_TEXT: usize = 512;

/// `User-Agent` kept with the group, bytes.
pub const AGENT_TEXT: usize = 128;

/// How long a push waits for a place in the queue before 503.
pub const QUEUE_TIME: Duration = Duration::from_secs(5);

// ---- All that is stored ----

/// Groups stored together (`--storage.max-groups`), else 507. A group at rest takes 2 KiB of
/// memory, so that this many take 2 GiB: twenty times the groups of the benchmarks, and who
/// makes up a grouping key for every run is stopped before the memory of a server is full.
pub const GROUPS: u64 = 1_000_000;

/// Series (sample lines) stored together (`--storage.max-series`), else 507. One takes 200
/// bytes, all of them 2 GiB: ten times those of the benchmarks, and ten of the largest pushes
/// that there may be ([`SERIES_PER_PUSH`]).
pub const SERIES: u64 = 10_000_000;

/// How long records of gone groups are kept unless told otherwise (`--ttl.history`).
pub const KEEP_HISTORY: Duration = Duration::from_hours(24);

/// Records of gone groups, oldest out first, whatever `--ttl.history` says.
pub const HISTORY_RECORDS: usize = 100_000;

// ---- The config file ----

/// Size of the config file, bytes. A thousand rules take a tenth of it.
pub const CONFIG_BYTES: usize = MIB;

/// Rules of the config file: at worst every group is tried against all of them.
pub const RULES: usize = 1000;

/// Faults told of one config file: who has more repairs these first.
pub const FAULTS: usize = 100;

/// Characters of a rule's name, which is also the value of a label.
pub const RULE_NAME: usize = 64;

// ---- The web config file ----

/// How often the web config file and its certificates are looked at, at most.
pub const WEB_CONFIG_TIME: Duration = Duration::from_secs(1);

/// Cost of a password's bcrypt hash: one above takes longer than 4 s to check,
/// and one is checked at a time.
pub const PASSWORD_COST: u32 = 16;

/// Passwords remembered as right, and as many as wrong.
pub const PASSWORDS: usize = 100;

/// Requests that wait for their password to be checked, else 503: at 50 ms each
/// about 3 s.
pub const PASSWORD_QUEUE: usize = 64;

// ---- HTTP/2 ----

/// Requests at a time on one connection; a client waits with further ones.
pub const STREAMS: u32 = 32;

/// Bytes of answers taken ahead of a slow peer, for each request.
pub const STREAM_SEND_BYTES: usize = 16 * KIB;

/// Bytes of bodies that a peer may send ahead, on one connection and for each
/// request: what nobody has asked for yet is held in memory.
pub const CONNECTION_WINDOW: u32 = 256 * 1024;

/// See [`CONNECTION_WINDOW`].
pub const STREAM_WINDOW: u32 = 64 * 1024;

/// Requests that a peer took back and that are not yet cleared away; one more ends
/// the connection. A client that asks and takes back in a loop costs much otherwise.
pub const STREAM_RESETS: usize = 32;

/// One request from its head to the last byte of its answer. A peer can hold an
/// answer back without the socket showing it, so this is a total; a body of
/// [`MAX_BODY`] fits at 2 Mbit/s.
pub const STREAM_TIME: Duration = Duration::from_mins(5);

// ---- The client of `tidegate ttl` and `tidegate groups` ----

/// How long connecting may take.
pub const CLIENT_CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long an answer may take: deleting a hundred thousand groups takes seconds.
pub const CLIENT_ANSWER_TIME: Duration = Duration::from_mins(2);

/// Largest answer that is read, bytes: a page of groups takes a hundredth of it.
pub const CLIENT_ANSWER: usize = 64 * MIB;

/// Characters shown of the gateway's words when it refuses.
pub const CLIENT_WORDS: usize = 2000;

// ---- Matchers ----

/// One regular expression of a matcher, as written, bytes. A list of a hundred
/// job names fits.
pub const PATTERN_BYTES: usize = 4 * KIB;

/// One regular expression compiled, bytes: room for any that people write, and a
/// hundred of the largest do not fill the memory.
pub const REGEX_BYTES: usize = MIB;

/// Selectors (`match[]`) of one request: each is tried on every group.
pub const SELECTORS: usize = 100;

/// Matchers of one selector: more than a group has labels.
pub const MATCHERS: usize = 32;

// ---- The API ----

/// Body of a request to the API that pushes nothing, bytes.
pub const API_BODY: usize = 64 * KIB;

/// Groups of one page of the API, at most and by default.
pub const API_PAGE: usize = 1000;

/// See [`API_PAGE`].
pub const API_PAGE_DEFAULT: usize = 100;

/// Lists sorted by time that are kept for their next pages; that used longest ago goes first.
pub const LISTS: usize = 16;

/// Grouping keys of all those lists, bytes: some 700,000 groups.
pub const LISTS_BYTES: usize = 64 * MIB;

/// How long such a list is kept after its last page was asked for.
pub const LIST_TIME: Duration = Duration::from_mins(10);

/// Groups named in the answer to a request by matcher.
pub const LISTED_LABELS: usize = 100;

/// Bytes of a streamed answer of the API handed on at once.
pub const API_PIECE: usize = 64 * KIB;

/// Pieces of a streamed answer made ahead of what its reader has taken.
pub const API_PIECES: usize = 4;

/// Labels of a group that is not there, in the log, bytes.
pub const LOGGED_LABELS: usize = 512;

/// Reason of an override or a pause, bytes.
pub const REASON_TEXT: usize = 512;

/// Groups pushed in one request of the batch API.
pub const BATCH_GROUPS: usize = 10_000;

// ---- The web page ----

/// Bytes of HTML after which a page ends and links to the next, whatever it shows: a phone
/// loads it in a second. One group or one series may go beyond it.
pub const PAGE_BYTES: usize = 64 * KIB;

/// Groups of one page.
pub const PAGE_GROUPS: usize = 50;

/// Families of one page of a group.
pub const PAGE_FAMILIES: usize = 100;

/// Series of each family on the page of its group; the rest is a link away.
pub const PAGE_FIRST_SERIES: usize = 10;

/// Series of one page of a family.
pub const PAGE_SERIES: usize = 200;

/// Buckets or quantiles shown of one series. Real histograms have up to about 50.
pub const PAGE_BUCKETS: usize = 100;

/// Labels shown of one group or series. Real ones have up to about 30.
pub const PAGE_LABELS: usize = 64;

/// Characters shown of a name, a label value or a help text.
pub const PAGE_TEXT: usize = 300;

/// Bytes of a name or grouping key in a link to the next page: well below [`PATH_BYTES`]
/// once they are escaped. Of a longer one the beginning serves as well.
pub const PAGE_CURSOR: usize = 4 * KIB;
