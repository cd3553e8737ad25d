//! tests/bench/src/driver/callgrind.rs: what callgrind wrote, read: the sum, and the cost of functions.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Outcome, signed};

/// Prints the 25 functions whose self cost differs most between two runs, over the `requests` that one has
/// more than the other.
pub fn compare(title: &str, few: &Path, many: &Path, requests: i64) -> Outcome<()> {
    let (few, many) = (by_function(few)?, by_function(many)?);
    let mut costs: Vec<(i64, &str)> = many
        .iter()
        .map(|(name, cost)| (cost - few.get(name).unwrap_or(&0), name.as_str()))
        .map(|(cost, name)| (cost / requests, name))
        .collect();
    costs.sort_by(|a, b| b.cmp(a));
    let all: i64 = costs.iter().map(|(cost, _)| cost).sum();
    println!("{title}: {} a request, of which\n", signed(all));
    for (cost, name) in costs.iter().take(25) {
        println!("{:>8}  {:>4.1}%  {name}", signed(*cost), *cost as f64 * 100.0 / all as f64);
    }
    Ok(())
}

/// What was spent in the functions whose names hold `part`, and in all that they call. None of them may
/// call another of them.
pub fn within(out: &Path, part: &str) -> Outcome<u64> {
    let text = fs::read_to_string(out)?;
    let mut names = HashMap::new();
    let (mut inside, mut found, mut sum) = (false, false, 0);
    for line in text.lines() {
        // A name comes in full the first time, `(7) name`, and as `(7)` from then on.
        if let Some((place, name)) = line.split_once("fn=(") {
            let (number, name) =
                name.split_once(')').ok_or("callgrind wrote a name of no number")?;
            if !name.is_empty() {
                names.insert(number, name.contains(part));
            }
            if place.is_empty() {
                inside = names.get(number).copied().unwrap_or(false);
                found |= inside;
            }
        } else if inside && line.starts_with(|first: char| "+-*0123456789".contains(first)) {
            // A position and its cost; behind `calls=`, that of the whole call.
            sum += line.rsplit(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    match found {
        true => Ok(sum),
        false => Err(format!("no function is named {part}: is it inlined now?").into()),
    }
}

/// Self cost by function, from `callgrind_annotate`: lines as `1,234 ( 0.1%)  file:function [object]`.
fn by_function(out: &Path) -> Outcome<HashMap<String, i64>> {
    let annotate = Command::new("callgrind_annotate").arg("--threshold=100").arg(out).output()?;
    let mut costs = HashMap::new();
    for line in String::from_utf8_lossy(&annotate.stdout).lines() {
        let Some((cost, rest)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let Some((_, name)) = rest.split_once(")  ") else {
            continue;
        };
        let Ok(cost) = cost.replace(',', "").parse::<i64>() else {
            continue;
        };
        if name.starts_with("PROGRAM TOTALS") {
            continue;
        }
        let name = name.split(" [").next().unwrap_or(name);
        *costs.entry(name.trim_start_matches("???:").to_owned()).or_default() += cost;
    }
    Ok(costs)
}

/// The sum over all threads, from the line `summary: N` or `totals: N`.
pub fn total(out: &Path) -> Outcome<u64> {
    let text = fs::read_to_string(out)?;
    let sum = |label| text.lines().rev().find_map(|line| line.strip_prefix(label));
    let sum = sum("summary:").or_else(|| sum("totals:"));
    Ok(sum.ok_or("callgrind wrote no sum")?.trim().parse()?)
}
