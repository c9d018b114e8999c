//! The way from a machine to the store and to the board: calls take time, fail, take place without an answer, or hang.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::time::{Gate, Shared};
use super::world::{Fate, World};

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls get through.
    Up,
    /// Calls fail at once.
    Refusing,
    /// Calls hang.
    Silent,
}

/// The line from one machine to one server. Clones are the same line.
#[derive(Clone)]
pub struct Line {
    pub world: Arc<World>,
    /// Whose line, to which server.
    pub name: String,
    pub gate: Gate,
    state: Shared<State>,
}

impl Line {
    pub fn new(world: &Arc<World>, name: String, gate: &Gate) -> Self {
        Self {
            world: Arc::clone(world),
            name,
            gate: gate.clone(),
            state: Shared::new(State::Up),
        }
    }

    pub fn set(&self, state: State) {
        self.world.tell(|| format!("{} is {state:?}", self.name));
        self.state.set(state);
    }

    pub fn state(&self) -> State {
        self.state.get()
    }

    /// Returns when the line is not silent.
    async fn heard(&self) {
        self.state.wait_for(|state| state != State::Silent).await;
    }

    /// Makes a call that `apply` carries out on the server. `None`: it failed, whether or not it took place.
    pub async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        apply: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        // The call is under way whatever becomes of the caller.
        tokio::spawn(self.clone().travel(what, apply, answer));
        let given = answered.await;
        self.gate.pass().await;
        given.ok()
    }

    async fn travel<T: Send + 'static>(
        self,
        what: &'static str,
        apply: impl FnOnce(&World) -> T + Send + 'static,
        answer: oneshot::Sender<T>,
    ) {
        let world = &self.world;
        let time = &world.time;
        // A claim has no name of its own on the board: a release that came after the next claim of the same conductor
        // would be taken for one of that. What goes over one connection keeps its order.
        let fate = match (what, world.fate()) {
            ("release", Fate::Late | Fate::LateAndLost) => Fate::Refused,
            (_, fate) => fate,
        };
        if fate != Fate::Answered {
            world.tell(|| format!("{}: {what} will be {fate:?}", self.name));
        }
        time.sleep(Duration::from_millis(world.chance.below(4)))
            .await;
        match fate {
            Fate::Answered | Fate::AnswerLost => {}
            Fate::Refused => return,
            Fate::Late => time.sleep(world.chance.millis(50, 10_000)).await,
            Fate::LateAndLost => {
                // Whoever called hears at once that it failed, and does not know that it is still to come.
                drop(answer);
                time.sleep(world.chance.millis(10, 20_000)).await;
                if self.state() == State::Up {
                    world.tell(|| format!("{}: {what} takes place late", self.name));
                    apply(world);
                }
                return;
            }
        }
        match self.state() {
            State::Up => {}
            State::Refusing => return,
            State::Silent => {
                self.heard().await;
                // What was on its way is sent again when the line is back, or the connection is gone.
                if self.state() == State::Refusing || world.chance.one_in(2) {
                    return;
                }
            }
        }
        let given = apply(world);
        time.sleep(Duration::from_millis(world.chance.below(4)))
            .await;
        match (fate, self.state()) {
            (Fate::Answered | Fate::Late, State::Up) => {
                let _ = answer.send(given);
            }
            (_, State::Silent) => self.heard().await,
            (_, State::Up | State::Refusing) => {}
        }
    }
}
