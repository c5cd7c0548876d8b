//! Pages of groups in order of key.

use std::ops::ControlFlow;

use super::ApiError;
use super::cursor::Cursor;
use super::query::{Query, Selection};
use crate::limits::{API_PAGE, API_PAGE_DEFAULT};
use crate::store::{Listed, ReadError, Store};

/// Which groups are asked for, and which page of them.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) selection: Selection,
    /// Groups of a page.
    pub(super) limit: usize,
    /// Where the page begins: behind this place.
    pub(super) after: Option<Cursor>,
}

impl Asked {
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        let decode = |text| {
            Cursor::decode(text).ok_or_else(|| ApiError::bad("cursor is not one of this API's"))
        };
        Ok(Self {
            selection: query.selection()?,
            limit: query.limit(API_PAGE_DEFAULT, API_PAGE)?,
            after: query.one("cursor")?.map(decode).transpose()?,
        })
    }
}

/// One page of the groups that are asked for and of which `show` makes something, and the
/// cursor of the next: the last key shown, whoever comes or goes.
pub(super) fn by_key<T>(
    store: &Store,
    asked: &Asked,
    mut show: impl FnMut(&Listed) -> Option<T>,
) -> Result<(Vec<T>, Option<String>), ReadError> {
    let after = asked.after.as_ref().map(|after| after.key.as_slice());
    let mut page: Vec<T> = Vec::new();
    let (mut last, mut next) = (None, None);
    store.walk_from(after.unwrap_or_default(), |row| {
        let is_new = after.is_none_or(|after| row.key().as_bytes() > after);
        if !is_new || !asked.selection.matches(row.key()) {
            return Ok(ControlFlow::Continue(()));
        }
        let listed = row.listed()?;
        let Some(shown) = show(&listed) else {
            return Ok(ControlFlow::Continue(()));
        };
        if page.len() == asked.limit {
            next = last.take();
            return Ok(ControlFlow::Break(()));
        }
        page.push(shown);
        last = Some(listed.key);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((page, next.map(|key| Cursor::of(0, &key).encode())))
}
