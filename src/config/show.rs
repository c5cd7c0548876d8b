//! A policy in words, for `tidegate check config`.

use std::fmt::Write as _;

use crate::duration;
use crate::table::Table;
use crate::ttl::{Rule, TtlPolicy};

/// The settings in force and the rules in their order, several lines.
pub fn describe(policy: &TtlPolicy) -> String {
    let max = policy.max.map_or("none".to_owned(), duration::format);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "default  {}", policy.default);
    let _ = writeln!(text, "min      {}", duration::format(policy.min));
    let _ = writeln!(text, "max      {max}");
    let _ = writeln!(text, "client   {}", policy.client);
    if policy.rules.iter().len() == 0 {
        text.push_str("rules    none\n");
        return text;
    }
    text.push_str("\nthe first rule that matches a group counts:\n\n");
    let mut table = Table::new(&["RULE", "TTL", "HOLD", "GROUPS"]);
    for Rule {
        name,
        selector,
        ttl,
        hold,
    } in policy.rules.iter()
    {
        let hold = hold.map_or("-".to_owned(), |hold| hold.to_string());
        table.row([
            name.to_string(),
            ttl.to_string(),
            hold,
            selector.to_string(),
        ]);
    }
    text + &table.to_string()
}
