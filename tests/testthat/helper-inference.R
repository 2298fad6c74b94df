# The oracle of inference: Satterthwaite's and Kenward and Roger's quantities by dense n x n algebra, straight from the
# papers, on top of helper-oracle.R. Nothing of it is shared with the package but the design that it starts from.
#
# Kenward and Roger (1997): with Sigma = sum_i gamma_i G_i linear in its parameters, P_i = -X'S G_i S X,
# Q_ij = X'S G_i S G_j S X (S = Sigma^-1), the adjusted covariance is Phi + 2 Phi {sum W_ij (Q_ij - P_i Phi P_j)} Phi, where W is
# the inverse of the expected information of the restricted likelihood.

# The oracle's model of a fit, with its structures.
inference_model <- function(fit) {
  design <- build_design(fit$parsed, fit$frame, fit$contrasts)
  for (k in seq_along(design$terms)) design$terms[[k]]$structure <- fit$random[[k]]$structure
  oracle_model(design, fit$reml)
}

# dV/dPsi_d for every element of Psi: n x n matrices, V relative to sigma^2.
oracle_directions <- function(model) {
  par <- oracle_par(model, lapply(model$z, function(term) diag(term$q)))
  lapply(seq_along(par), function(d) {
    psi <- oracle_psi(model, replace(numeric(length(par)), d, 1))
    v <- 0
    for (k in seq_along(model$z)) {
      z <- model$z[[k]]
      v <- v + z$z %*% kronecker(diag(z$levels), psi[[k]]) %*% t(z$z)
    }
    v
  })
}

oracle_pseudo_inverse <- function(h, tol = 1e-8) {
  s <- sqrt(abs(diag(h)))
  s[s == 0] <- 1
  e <- eigen(h / tcrossprod(s), symmetric = TRUE)
  use <- e$values > tol * max(e$values)
  e$vectors[, use, drop = FALSE] %*% (t(e$vectors[, use, drop = FALSE]) / e$values[use]) / tcrossprod(s)
}

# Satterthwaite: derivatives of vcov(beta) in (theta, sigma^2), all elements of the factors free, and the covariance of
# (theta, sigma^2) from the observed Hessian, numerically differentiated.
oracle_satterthwaite <- function(model, theta, sigma2) {
  f <- function(par) {
    m <- length(par)
    oracle_criterion(model, lapply(oracle_lambda(model, par[-m]), tcrossprod), sigma2 = par[m])
  }
  covariance <- function(par) {
    m <- length(par)
    par[m] * solve(oracle_gls(model, lapply(oracle_lambda(model, par[-m]), tcrossprod))$xvx)
  }
  par <- c(theta, sigma2)
  derivatives <- sapply(seq_along(par), function(i) {
    slope <- function(h) {
      e <- replace(numeric(length(par)), i, h)
      (covariance(par + e) - covariance(par - e)) / (2 * h)
    }
    h <- 1e-4 * max(abs(par[i]), 1e-2)
    (4 * slope(h) - slope(2 * h)) / 3
  })
  derivatives <- array(derivatives, c(ncol(model$x), ncol(model$x), length(par)))
  list(derivatives = derivatives, covariance = 2 * oracle_pseudo_inverse(oracle_hessian(f, par)))
}

# Kenward and Roger, in (sigma^2 Psi, sigma^2), in which Sigma is linear.
oracle_kenward_roger <- function(model, psi, sigma2) {
  g <- oracle_gls(model, psi)
  si <- g$vi / sigma2
  directions <- c(oracle_directions(model), list(diag(1 / model$w, length(model$y))))
  phi <- sigma2 * solve(g$xvx)
  m <- length(directions)
  sg <- lapply(directions, function(G) si %*% G)
  p_i <- lapply(sg, function(a) -crossprod(model$x, a %*% si %*% model$x))
  q_ij <- function(i, j) crossprod(model$x, sg[[i]] %*% sg[[j]] %*% si %*% model$x)
  information <- matrix(0, m, m)
  for (i in seq_len(m)) {
    for (j in seq_len(m)) {
      information[i, j] <- (sum(sg[[i]] * t(sg[[j]])) - 2 * sum(diag(phi %*% q_ij(i, j))) +
        sum(diag(phi %*% p_i[[i]] %*% phi %*% p_i[[j]]))) / 2
    }
  }
  w <- oracle_pseudo_inverse(information)
  lambda <- 0
  for (i in seq_len(m)) {
    for (j in seq_len(m)) lambda <- lambda + w[i, j] * (q_ij(i, j) - p_i[[i]] %*% phi %*% p_i[[j]])
  }
  p <- ncol(model$x)
  derivatives <- array(0, c(p, p, m))
  for (i in seq_len(m)) derivatives[, , i] <- -phi %*% p_i[[i]] %*% phi
  list(derivatives = derivatives, covariance = w, vcov = phi + 2 * phi %*% lambda %*% phi)
}

# What engine_inference() answers.
oracle_inference <- function(fit, adjusted = FALSE) {
  model <- inference_model(fit)
  theta <- unlist(lapply(seq_along(model$z), function(k) {
    factor <- fit$theta[[k]]
    switch(model$z[[k]]$structure,
      unstructured = factor[lower.tri(factor, diag = TRUE)],
      diagonal = diag(factor),
      scalar = factor[1, 1]
    )
  }))
  out <- list(satterthwaite = oracle_satterthwaite(model, theta, fit$scale))
  if (adjusted) {
    out$kenward_roger <- oracle_kenward_roger(model, fit$psi, fit$scale)
    dimnames(out$kenward_roger$vcov) <- dimnames(fit$vcov_unscaled)
  }
  out
}

# lmerTest's fit at an optimum as sharp as lme4's optimisers get.
sharp_lmer <- function(formula, data, reml = TRUE, contrasts = NULL) {
  testthat::skip_if_not_installed("lmerTest")
  control <- lme4::lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-2, rhoend = 1e-10, maxfun = 1e5),
    check.conv.singular = "ignore", check.conv.grad = "ignore", check.rankX = "silent.drop.cols", calc.derivs = FALSE
  )
  # looked up by lmerTest when it fits again
  environment(formula) <- environment()
  suppressMessages(lmerTest::lmer(formula, data, REML = reml, contrasts = contrasts, control = control))
}

# A few schools of egsingle.
egsingle_part <- function(every = 30L) {
  d <- plain_data("egsingle", "mlmRev")
  d <- d[as.integer(d$schoolid) %% every == 0L, ]
  d$schoolid <- factor(d$schoolid)
  d$childid <- factor(d$childid)
  d
}

# The models of the comparisons with lmerTest and pbkrtest.
inference_models <- list(
  sleepstudy = list(Reaction ~ Days + (Days | Subject), function() plain_data("sleepstudy", "lme4")[-c(3, 17, 40:46, 100), ]),
  dietox = list(Weight ~ Cu * Time + Evit + (Time | Pig), function() subset(dietox, as.integer(factor(Pig)) <= 30)),
  Machines = list(score ~ Machine + (Machine | Worker), function() plain_data("Machines", "nlme")[-c(2, 9, 30), ]),
  Pastes = list(strength ~ 1 + (1 | batch / cask), function() plain_data("Pastes", "lme4")[-c(1, 5, 30, 31), ]),
  Penicillin = list(diameter ~ day + (1 | plate) + (1 | sample), function() penicillin()[-c(1, 7, 60:80), ]),
  cake = list(angle ~ recipe * temperature + (1 | recipe:replicate), function() plain_data("cake", "lme4")[-c(4, 50:57, 200), ]),
  egsingle = list(math ~ year * female + retained + (year | childid) + (1 | schoolid), function() egsingle_part())
)
