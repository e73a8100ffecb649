"""What the workflows of pull requests and deployments call; standard library only, so that a runner needs nothing."""
