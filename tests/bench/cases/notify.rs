//! NOTIFYs in the dialogs of many subscriptions: P1, P2, P5 and P6.

use std::time::Instant;

use serde_json::json;

use super::instructions::CHECKED;
use crate::compare::{Contender, Failure, Measured, compare};
use crate::load::Load;
use crate::options::Options;
use crate::peers::Peer;
use crate::population::Population;
use crate::refresh;
use crate::report::{Curve, Report};
use crate::servers::{self, BARE_SL, Consumer, FLOOR, STATEFUL, STATELESS, Way};
use crate::statistics::Sample;
use crate::support::config::Builder;
use crate::table::{Goal, Row};

/// Subscriptions that are active before memory is counted: the tables' own memory is not theirs. Also the small number
/// that the large one is compared with.
const FEW: usize = 1000;
const WAYS: [Way; 4] = [STATEFUL, STATELESS, FLOOR, BARE_SL];
/// Subscriptions of one page of a list.
const PAGE: usize = 100;
/// Rounds of refreshes for each round of NOTIFYs, as there are only a thousand in each.
const REFRESH_ROUNDS: usize = 3;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !["P1", "P2", "P5", "P6"].iter().any(|id| options.wants(id)) {
        return Ok(());
    }
    let most = options.subscriptions();
    let mut many = Population::start(builder().shm_megabytes(options.shm_megabytes()), most)?;
    many.grow(FEW)?;
    let before = many.at_rest()?;
    report.say(&format!("making {most} subscriptions"));
    grow(options, report, &mut many)?;
    let after = many.at_rest()?;
    report.say(&format!("{most} subscriptions stand"));
    if options.wants("P5") {
        let each = (after as f64 - before as f64) / (most - FEW) as f64;
        let name = format!("shared memory of a subscription at rest, {most} of them");
        report.row(Row::figure("P5", name, "B", Some(Sample::single(each))).goal(Goal::AtMost(504.0)));
    }
    if ["P1", "P2", "P6"].iter().any(|id| options.wants(id)) {
        let mut few = Population::start(builder().shm_megabytes(500), FEW)?;
        few.grow(FEW)?;
        let checked = servers::b2b_with_checks(&WAYS, 1, Consumer::Callback);
        let mut checked = Population::start(checked.shm_megabytes(500), FEW)?;
        checked.grow(FEW)?;
        answers(options, report, &many, &few, &checked)?;
        checked.server.stop();
        if options.wants("P6") {
            growth(options, report, &many, &few)?;
        }
        few.server.stop();
    }
    many.server.stop();
    Ok(())
}

fn builder() -> Builder {
    refresh::quickly(servers::b2b(&WAYS, 1, Consumer::Callback))
}

fn contender<'a>(population: &'a Population, way: Way) -> Contender<'a> {
    Contender {
        name: way.name.to_owned(),
        server: &population.server,
        way,
        desk: population.desk(),
        records: population.count,
    }
}

/// Makes all subscriptions; in a full run it stops on the way to see what a NOTIFY costs.
fn grow(options: &Options, report: &mut Report, population: &mut Population) -> Result<(), Failure> {
    let most = options.subscriptions();
    let mut curves = [FLOOR, STATEFUL].map(|way| Curve { name: way.name.to_owned(), points: Vec::new() });
    let mut step = FEW;
    while step < most && !options.quick && options.wants("P6") {
        population.grow(step)?;
        let ways = [FLOOR, STATEFUL].map(|way| contender(population, way));
        let results = compare(&ways, 3, options.notifies() / 2)?;
        for (curve, result) in curves.iter_mut().zip(&results) {
            curve.points.extend(result.value().map(|sample| (step as f64, sample.median)));
        }
        step *= 10;
    }
    population.grow(most)?;
    report.keep_growth(curves.into());
    Ok(())
}

fn answers(
    options: &Options,
    report: &mut Report,
    many: &Population,
    few: &Population,
    checked: &Population,
) -> Result<(), Failure> {
    let mut contenders: Vec<Contender> =
        [FLOOR, STATEFUL, BARE_SL, STATELESS].into_iter().map(|way| contender(many, way)).collect();
    contenders.extend([contender(few, STATEFUL), contender(checked, STATEFUL), contender(checked, STATELESS)]);
    let peers =
        if options.wants("P2") { vec![Peer::rls(true)?, Peer::rls(false)?, Peer::reginfo()?] } else { Vec::new() };
    contenders.extend(peers.iter().map(Peer::contender));
    report.say("NOTIFYs, side by side");
    let taken = many.taken()?;
    let results = compare(&contenders, options.rounds(), options.notifies())?;
    let delivered = many.taken()? - taken;
    let expected = (2 * (options.rounds() + 1) * options.notifies()) as u64;
    let remark = if delivered == expected { String::new() } else { format!("{delivered} of {expected} delivered") };
    drop(contenders);
    peers.into_iter().try_for_each(Peer::stop)?;
    let [floor, stateful, bare, stateless, small, stateful_checked, stateless_checked, peers @ ..] = results.as_slice()
    else {
        return Ok(());
    };
    report.keep_growth_end(many.count as f64, &[floor, stateful]);
    if options.wants("P1") {
        report.row(floor.row("P1", &floor.name));
        let ratio = stateful.over(floor);
        let name = format!("{} to a C queue, {} subscriptions", stateful.name, many.count);
        report.row(stateful.row("P1", name).ratio(ratio).goal(Goal::AtMost(1.2)).remark(&remark));
        let name = format!("{}, {CHECKED}", stateful.name);
        report.row(stateful_checked.row("P1", name).ratio(stateful_checked.over(floor)));
    }
    if options.wants("P2") {
        report.row(bare.row("P2", &bare.name));
        let beside = |what: &str| format!("stateless handle_notify to a C queue, beside {what}");
        let row = |under: &Measured, most| {
            let row = stateless.row("P2", beside(&under.name)).remark(&remark);
            row.ratio(stateless.over(under)).goal(Goal::AtMost(most))
        };
        report.row(row(floor, 0.75));
        report.row(row(bare, 1.3));
        let name = format!("{}, {CHECKED}, beside {}", stateless.name, bare.name);
        report.row(stateless_checked.row("P2", name).ratio(stateless_checked.over(bare)));
        for peer in peers {
            let name = format!("{}, beside {}", peer.name, floor.name);
            report.row(peer.row("P2", name).ratio(peer.over(floor)));
        }
    }
    if options.wants("P6") {
        let name = format!("NOTIFY with {} subscriptions, beside {FEW}", many.count);
        report.row(stateful.row("P6", name).ratio(stateful.over(small)).goal(Goal::AtMost(1.15)));
    }
    Ok(())
}

fn growth(options: &Options, report: &mut Report, many: &Population, few: &Population) -> Result<(), Failure> {
    report.say("refreshes with few and with many subscriptions");
    let mut costs = [Vec::new(), Vec::new()];
    let mut loads = [many, few].map(|population| Load::new(population.desk()));
    for round in 0..=options.rounds() * REFRESH_ROUNDS {
        for ((population, load), costs) in [many, few].into_iter().zip(&mut loads).zip(&mut costs) {
            let load = load.as_mut().map_err(|error| error.to_string())?;
            let cost = refresh::round(population, load, FEW)?;
            costs.extend((round > 0).then_some(cost));
        }
    }
    let name = format!("refresh with {} subscriptions, beside {FEW}", many.count);
    let row = Row::figure("P6", name, "µs", Sample::of(&costs[0]));
    report.row(row.ratio(Sample::ratio(&costs[0], &costs[1])).goal(Goal::AtMost(1.15)));

    let ask = |population: &Population, command: &str, parameters: serde_json::Value| -> Result<Vec<f64>, Failure> {
        let mut times = Vec::new();
        for _ in 0..20 {
            let begun = Instant::now();
            population.server.rpc(command, parameters.clone()).map_err(|error| format!("{command}: {error}"))?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    };
    let pages = [("the first", 0, 0), ("the last", many.count - PAGE, FEW - PAGE)];
    for (which, of_many, of_few) in pages {
        let times = ask(many, "presence_b2b.list", json!([of_many, PAGE]))?;
        let beside = ask(few, "presence_b2b.list", json!([of_few, PAGE]))?;
        let row = Row::figure("P6", format!("list, {which} {PAGE}, beside {FEW}"), "ms", Sample::of(&times));
        report.row(row.ratio(Sample::ratio(&times, &beside)).remark("RPC, time on the clock"));
    }
    let (times, beside) = (ask(many, "presence_b2b.trace", json!([]))?, ask(few, "presence_b2b.trace", json!([]))?);
    let row = Row::figure("P6", format!("trace (counts), beside {FEW}"), "ms", Sample::of(&times));
    report.row(row.ratio(Sample::ratio(&times, &beside)).remark("RPC, time on the clock"));
    Ok(())
}
