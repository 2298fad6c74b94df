# Draws the picture of the README, man/figures/README-dietox.png.
library(mixedlm)
fit <- mixedlm(Weight ~ Time + (Time | Pig), dietox)
grDevices::png("man/figures/README-dietox.png", width = 1100, height = 560, res = 144, type = "cairo")
plot_trajectories(fit, n = 6)
invisible(grDevices::dev.off())
