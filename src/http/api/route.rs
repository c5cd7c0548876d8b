//! What a path of the API is about, and the methods and parameters it has.

use axum::http::Method;

use crate::http::route::has;

/// What is asked for.
#[derive(Debug)]
pub(super) enum Route {
    /// What the Pushgateway has.
    Original(Original),
    /// The description of the API.
    Description,
    /// What goes beyond the Pushgateway, in its envelope.
    Own(Own),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Original {
    Status,
    Metrics,
    Wipe,
}

/// Where there is a path in it, it is that of a grouping key, decoded.
#[derive(Debug)]
pub(super) enum Own {
    Groups,
    Group(Vec<u8>),
    Overview,
    Explain(Option<Vec<u8>>),
    Push,
    Pin(Vec<u8>),
    PinMatching,
    Touch(Vec<u8>),
    DeleteGroups,
    Reap,
    Pause,
    Resume,
}

const READ: &str = "GET, HEAD, OPTIONS";

/// Paths in which nothing varies.
const FIXED: [(&str, Route); 13] = [
    ("status", Route::Original(Original::Status)),
    ("metrics", Route::Original(Original::Metrics)),
    ("admin/wipe", Route::Original(Original::Wipe)),
    ("openapi.yaml", Route::Description),
    ("groups", Route::Own(Own::Groups)),
    ("ttl", Route::Own(Own::Overview)),
    ("ttl/explain", Route::Own(Own::Explain(None))),
    ("push", Route::Own(Own::Push)),
    ("admin/ttl", Route::Own(Own::PinMatching)),
    ("admin/delete_groups", Route::Own(Own::DeleteGroups)),
    ("admin/ttl/reap", Route::Own(Own::Reap)),
    ("admin/ttl/pause", Route::Own(Own::Pause)),
    ("admin/ttl/resume", Route::Own(Own::Resume)),
];

fn fixed(is: impl Fn(&[u8]) -> bool) -> Option<(&'static str, Route)> {
    FIXED.into_iter().find(|(name, _)| is(name.as_bytes()))
}

impl Route {
    /// The route of a decoded path behind `/api/v1/`.
    pub(super) fn of(path: &[u8]) -> Option<Self> {
        let fixed = fixed(|name| name == path).map(|(_, route)| route);
        fixed.or_else(|| Own::of_group(path).map(Self::Own))
    }

    /// The path that this one is but for letter case and a slash at its end, if that has
    /// the method.
    pub(super) fn respelled(path: &[u8], method: &Method) -> Option<&'static str> {
        let bare = path.strip_suffix(b"/").unwrap_or(path);
        let (name, route) = fixed(|name| name.eq_ignore_ascii_case(bare))?;
        (name.as_bytes() != path && has(route.allow(), method)).then_some(name)
    }

    pub(super) fn allow(&self) -> &'static str {
        match self {
            Self::Original(Original::Wipe) => "OPTIONS, PUT",
            Self::Original(_) | Self::Description => READ,
            Self::Own(own) => own.allow(),
        }
    }
}

impl Own {
    /// What is about one group.
    fn of_group(path: &[u8]) -> Option<Self> {
        let job = |prefix: &str| {
            let rest = path.strip_prefix(prefix.as_bytes())?;
            let is_job = rest.starts_with(b"job/") || rest.starts_with(b"job@base64/");
            is_job.then(|| rest.to_vec())
        };
        let group = job("groups/").map(Self::Group);
        group
            .or_else(|| job("ttl/explain/").map(|key| Self::Explain(Some(key))))
            .or_else(|| job("admin/ttl/").map(Self::Pin))
            .or_else(|| job("admin/touch/").map(Self::Touch))
    }

    fn allow(&self) -> &'static str {
        match self {
            Self::Groups | Self::Group(_) | Self::Overview | Self::Explain(_) => READ,
            Self::Pin(_) | Self::PinMatching => "DELETE, OPTIONS, PUT",
            _ => "OPTIONS, POST",
        }
    }

    /// The parameters of its query string.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Groups => &["match[]", "state", "sort", "limit", "cursor"],
            Self::Explain(None) => &["match[]", "limit", "cursor"],
            Self::DeleteGroups => &["match[]", "older_than", "dry_run"],
            Self::PinMatching => &["match[]", "dry_run"],
            Self::Reap => &["dry_run"],
            _ => &[],
        }
    }

    /// Whether it needs `--web.enable-admin-api`.
    pub(super) fn is_admin(&self) -> bool {
        !matches!(
            self,
            Self::Groups | Self::Group(_) | Self::Overview | Self::Explain(_) | Self::Push
        )
    }
}
