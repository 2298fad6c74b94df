//! Functions of the user, asked from the working thread and answered on R's.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Mutex;
use std::time::Duration;

use extendr_api::prelude::*;
use mixedlm_core::penalized::fixed::Smooth;
use mixedlm_core::{Error, Result};

/// How long R's thread waits for a question before it looks whether there is anything else to do.
pub const PATIENCE: Duration = Duration::from_millis(1);

/// What is asked: a value or slopes, of the penalty with a number, at a point.
struct Question {
    slopes: bool,
    number: usize,
    at: Vec<f64>,
    reply: Sender<Option<Vec<f64>>>,
}

/// Where questions arrive, and the function of R that answers them: `function(slopes, number, at)`, which returns doubles, or
/// `NULL` where it failed.
pub struct Desk<'a> {
    questions: Receiver<Question>,
    sender: Sender<Question>,
    function: &'a Function,
}

impl<'a> Desk<'a> {
    /// A desk with its function.
    pub fn new(function: &'a Function) -> Self {
        let (sender, questions) = channel();
        Desk {
            questions,
            sender,
            function,
        }
    }

    /// A penalty whose values and slopes are asked for here.
    pub fn penalty(&self, number: usize) -> Box<dyn Smooth + Send> {
        Box::new(Asked {
            number,
            sender: Mutex::new(self.sender.clone()),
        })
    }

    /// Answer one question, if one comes in time. Only on R's thread.
    pub fn answer(&self, wait: Duration) {
        let Ok(question) = self.questions.recv_timeout(wait) else {
            return;
        };
        let number = question.number as i32;
        let answer = self
            .function
            .call(pairlist!(question.slopes, number, question.at));
        let reply = answer
            .ok()
            .and_then(|value| value.as_real_slice().map(<[f64]>::to_vec));
        // nobody waits for the answer any more when the work has ended
        let _ = question.reply.send(reply);
    }
}

/// One of the user's functions.
struct Asked {
    number: usize,
    sender: Mutex<Sender<Question>>,
}

impl Asked {
    fn ask(&self, slopes: bool, at: &[f64]) -> Result<Vec<f64>> {
        let lost = || Error::invalid("penalty", "a function of the penalty failed");
        let (reply, answer) = channel();
        let question = Question {
            slopes,
            number: self.number,
            at: at.to_vec(),
            reply,
        };
        let sender = self.sender.lock().map_err(|_| lost())?;
        sender.send(question).map_err(|_| lost())?;
        answer.recv().ok().flatten().ok_or_else(lost)
    }
}

impl Smooth for Asked {
    fn value(&self, at: &[f64]) -> Result<f64> {
        let values = self.ask(false, at)?;
        values
            .first()
            .copied()
            .filter(|_| values.len() == 1)
            .ok_or_else(|| Error::invalid("penalty", "a penalty must be one number"))
    }

    fn gradient(&self, at: &[f64]) -> Result<Vec<f64>> {
        let slopes = self.ask(true, at)?;
        match slopes.len() == at.len() {
            true => Ok(slopes),
            false => Err(Error::invalid(
                "penalty",
                "the slopes of a penalty have a wrong length",
            )),
        }
    }
}
