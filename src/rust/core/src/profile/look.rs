//! Other minima at the end of a side.
//!
//! Far from the estimate the deviance over the other parameters may have several minima: what a fixed effect no longer
//! explains goes to one term or to another. The walk follows one of them, not always the lowest. Where a side would end, the
//! search begins again with more of each variance in turn; where it ends lower, so do points before.

use crate::error::Result;

use super::interpolate::Node;
use super::walk::{Point, Walk};

/// A deviance must be lower by this to count as another minimum.
const LOWER: f64 = 1e-6;
/// Numbers to work through beyond which one minimum is the rule.
const EXPENSIVE: usize = 20_000;
/// What is added to an element, in units of the estimate and the noise of a level together.
const MORE: f64 = 20.0;

impl Walk<'_, '_> {
    /// The lowest minimum where `found` is, followed back over the points before.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn lowest_end(
        &mut self,
        optimum: &Node,
        found: (Node, Point),
        trail: &mut [Node],
        points: &mut [Point],
        sign: f64,
    ) -> Result<(Node, Point)> {
        let Some(lower) = self.other_minimum(optimum, &found, sign)? else {
            return Ok(found);
        };
        self.walk_back(&lower.0, trail, points, sign)?;
        Ok(lower)
    }

    /// A lower minimum where `found` is, from around the optimum. `None` where there is none, or looking is expensive.
    fn other_minimum(
        &mut self,
        optimum: &Node,
        (node, point): &(Node, Point),
        sign: f64,
    ) -> Result<Option<(Node, Point)>> {
        // a correlation knows its other minimum, the plateau
        if self.path.sizes().is_some() || self.joint.engine.work() > EXPENSIVE {
            return Ok(None);
        }
        let correction = self.correction.clone();
        let mut best: Option<(Node, Point)> = None;
        for element in 0..optimum.x.len() {
            let mut start = optimum.clone();
            start.x[element] += MORE.copysign(start.x[element]);
            let found = self.at(node.u, &[start], sign)?;
            let lowest = best.as_ref().map_or(point.deviance, |(_, p)| p.deviance);
            if let Some(found) = found.filter(|(_, p)| p.converged && p.deviance < lowest - LOWER) {
                best = Some(found);
            }
        }
        self.correction = correction;
        Ok(best)
    }

    /// Follow a lower minimum back, as far as it is lower; `trail` and `points` are those of the same positions.
    fn walk_back(&mut self, from: &Node, trail: &mut [Node], points: &mut [Point], sign: f64) -> Result<()> {
        let mut from = from.clone();
        for (old, old_point) in trail.iter_mut().zip(points).rev() {
            match self.at(old.u, std::slice::from_ref(&from), sign)? {
                Some((node, point)) if point.converged && point.deviance < old_point.deviance - LOWER => {
                    from = node.clone();
                    (*old, *old_point) = (node, point);
                }
                _ => break,
            }
        }
        Ok(())
    }
}
