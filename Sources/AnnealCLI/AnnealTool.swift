import Anneal
import ArgumentParser
@main struct AnnealTool: ParsableCommand { func run() { print(Parallel.threads); Parallel.run { p, n in print(p, n) } } }
