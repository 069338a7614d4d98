//! Drawing what the model knows. Nothing here changes anything.

mod detail;
mod foot;
mod head;
mod help;
mod ink;
mod ladder;
mod lists;
mod subscriptions;

use ratatui::Frame;

use self::ink::Canvas;
use crate::model::{Link, Mode, Model, Moment, View};
use crate::text::wrap;

pub use self::head::sums;
pub use self::ink::{Ink, Theme};
pub use self::subscriptions::columns;

/// The smallest terminal that anything is drawn on.
const LEAST: (u16, u16) = (20, 8);

/// Draws all of it.
pub fn draw(frame: &mut Frame, model: &Model, theme: Theme, now: Moment) {
    let area = frame.area();
    let is_away = matches!(model.link, Link::Away(..));
    let mut canvas = Canvas::new(frame.buffer_mut(), area, Theme { dimmed: is_away, ..theme });
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut canvas);
        return;
    }
    if model.mode == Mode::Help {
        help::draw(&mut canvas, model);
        return;
    }
    let shown_at = model.shown_at(now);
    head::draw(&mut canvas, model, shown_at);
    let mut foot = foot::lines(model, canvas.width(), now);
    foot.truncate(usize::from(canvas.left()) / 2);
    let body = canvas.left().saturating_sub(u16::try_from(foot.len()).unwrap_or(u16::MAX));
    match (&model.detail, model.view) {
        (Some(detail), _) => detail::draw(&mut canvas, detail, body, shown_at),
        (None, View::Subscriptions) => subscriptions::draw(&mut canvas, model, body, shown_at),
        (None, View::Destinations) => {
            lists::draw(&mut canvas, &model.destinations, model.scroll, body, lists::DESTINATIONS)
        }
        (None, View::Queues) => {
            let before = canvas.left();
            head::lags(&mut canvas, model);
            let body = body.saturating_sub(before - canvas.left());
            lists::draw(&mut canvas, &model.queues, model.scroll, body, lists::QUEUES);
        }
    }
    canvas.foot(foot);
}

fn too_small(canvas: &mut Canvas) {
    let said = format!("Too small: {} columns and {} lines are needed.", LEAST.0, LEAST.1);
    for line in wrap(&said, canvas.width()) {
        canvas.line([(Ink::Strong, line)]);
    }
}

#[cfg(test)]
mod tests;
