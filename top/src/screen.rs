//! The terminal: keys and answers come in, pictures go out.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::Value;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;
use crate::model::{Call, Key, Model, Moment, Step};
use crate::once::clock;
use crate::options::Options;
use crate::rpc::Client;
use crate::view::{Theme, draw};

/// Countdowns are drawn again after this time.
const TICK: Duration = Duration::from_secs(1);

/// What the program waits for.
enum Happening {
    Key(Key),
    /// The terminal has another size, or its content is gone.
    Redraw,
    /// Give the terminal back, and stop until somebody continues us.
    Suspend,
    Quit,
    Answer(Call, Result<Value, Failure>, Duration),
}

/// Shows the server until the operator quits. An error is a sentence for the operator.
pub fn run(client: Client, options: &Options) -> Result<(), String> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err("this is no terminal: use --once, or --once --json in scripts".into());
    }
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = Theme { colours: !is_plain, dimmed: false };
    let (happenings, happening) = channel();
    watch_signals(happenings.clone()).map_err(|error| format!("signals cannot be watched: {error}"))?;
    let (calls, asking) = ask_in_background(client, happenings.clone());
    let mut terminal = ratatui::try_init().map_err(|error| format!("the terminal cannot be used: {error}"))?;
    watch_keys(happenings);
    let outcome = show(&mut terminal, options, theme, &calls, &happening);
    if !leave(&mut terminal) {
        // It would complain of that on a terminal that has gone, and panic.
        std::mem::forget(terminal);
    }
    // A server that cannot send its answer would log an error.
    drop((calls, happening));
    let _ = asking.join();
    outcome.map_err(|error| format!("the terminal cannot be used: {error}"))
}

/// Whether the terminal is there to be given back.
fn leave(terminal: &mut DefaultTerminal) -> bool {
    let is_shown = terminal.show_cursor().is_ok();
    ratatui::try_restore().is_ok() && is_shown
}

fn show(
    terminal: &mut DefaultTerminal,
    options: &Options,
    theme: Theme,
    calls: &Sender<Call>,
    happening: &Receiver<Happening>,
) -> io::Result<()> {
    let clock = clock();
    let mut model = Model::new(options.settings.clone(), clock());
    let mut is_asking = false;
    loop {
        let now = clock();
        if !is_asking && let Some(call) = model.next(now) {
            is_asking = calls.send(call).is_ok();
        }
        terminal.draw(|frame| draw(frame, &model, theme, now))?;
        // Whatever has come already is taken before the next picture.
        let mut first = Some(wait(happening, &model, is_asking, now));
        while let Some(next) = first.take().unwrap_or_else(|| happening.try_recv().ok()) {
            match next {
                Happening::Key(key) if model.key(key, clock()) == Step::Quit => return Ok(()),
                Happening::Key(_) => {}
                Happening::Redraw => redraw(terminal)?,
                Happening::Quit => return Ok(()),
                Happening::Suspend => suspend(terminal)?,
                Happening::Answer(call, answer, took) => {
                    is_asking = false;
                    model.apply(&call, answer, took, clock());
                    break;
                }
            }
        }
    }
}

/// The next happening; none if it is time for a call or another picture.
fn wait(happening: &Receiver<Happening>, model: &Model, is_asking: bool, now: Moment) -> Option<Happening> {
    let until_call = model.next_at().saturating_sub(now).max(Duration::from_millis(10));
    let patience = if is_asking { TICK } else { TICK.min(until_call) };
    match happening.recv_timeout(patience) {
        Ok(happening) => Some(happening),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Happening::Quit),
    }
}

fn suspend(terminal: &mut DefaultTerminal) -> io::Result<()> {
    let _ = leave(terminal);
    emulate_default_handler(SIGTSTP)?;
    *terminal = ratatui::try_init()?;
    Ok(())
}

/// Forgets what is on the screen. `Terminal::clear` would ask the terminal for its cursor, and the answer would go to the
/// thread that reads keys.
fn redraw(terminal: &mut DefaultTerminal) -> io::Result<()> {
    let size = terminal.size()?;
    terminal.resize(size.into())
}

/// Makes the calls, one after the other, so that keys never wait for the server.
fn ask_in_background(mut client: Client, happenings: Sender<Happening>) -> (Sender<Call>, JoinHandle<()>) {
    let (calls, waiting) = channel::<Call>();
    let asking = thread::spawn(move || {
        let clock = clock();
        for call in waiting {
            let begin = clock();
            let answer = client.call(call.method, &call.params);
            let took = clock().saturating_sub(begin);
            if happenings.send(Happening::Answer(call, answer, took)).is_err() {
                return;
            }
        }
    });
    (calls, asking)
}

fn watch_keys(happenings: Sender<Happening>) {
    thread::spawn(move || {
        loop {
            let happening = match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => happening_of(key),
                Ok(Event::Resize(..)) => Some(Happening::Redraw),
                Ok(_) => None,
                // The terminal has gone.
                Err(_) => Some(Happening::Quit),
            };
            let is_end = matches!(happening, Some(Happening::Quit));
            if happening.is_some_and(|happening| happenings.send(happening).is_err()) || is_end {
                return;
            }
        }
    });
}

fn watch_signals(happenings: Sender<Happening>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let happening = match signal {
                SIGTSTP => Happening::Suspend,
                SIGCONT => Happening::Redraw,
                _ => Happening::Quit,
            };
            if happenings.send(happening).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn happening_of(key: KeyEvent) -> Option<Happening> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Happening::Key(Key::Interrupt)),
            KeyCode::Char('z') => Some(Happening::Suspend),
            KeyCode::Char('l') => Some(Happening::Redraw),
            KeyCode::Char('h') => Some(Happening::Key(Key::Backspace)),
            _ => None,
        };
    }
    let key = match key.code {
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    };
    Some(Happening::Key(key))
}
