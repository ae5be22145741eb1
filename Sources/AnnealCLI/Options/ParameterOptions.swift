import Anneal
import ArgumentParser

/// Flags that select parameters by name.
struct ParameterOptions: ParsableArguments, Encodable {
    @Option(
        help: ArgumentHelp(
            "Freeze parameters: no gradient, no update, no weight decay; batch norms keep and use their stored statistics.",
            discussion: """
                PATTERN is a regular expression for names of parameters or layers. As in MXNet's collect_params it is matched \
                from the name's beginning; end it with $ for the whole name: 'stage1', 'conv0$', '(?!fc)' for all but \
                names in fc. Give the flag several times for several patterns. The new head of fine-tune is never frozen.
                """, valueName: "PATTERN"))
    var freeze: [String] = []
    @Option(
        help: ArgumentHelp(
            "Multiply the learning rate of some parameters: 'fc=10'. May be repeated; the last match counts.",
            valueName: "PATTERN=X"))
    var lrMult: [String] = []
    @Option(
        help: ArgumentHelp("Multiply the weight decay of some parameters: '.*_gamma=0'.", valueName: "PATTERN=X"))
    var wdMult: [String] = []

    /// - Parameter names: the parameters that may be frozen.
    func frozen(_ symbol: Symbol, among names: Set<String>) throws -> Set<String> {
        try freeze.reduce(into: []) {
            $0.formUnion(try symbol.parameters(matching: $1, among: names, flag: "--freeze"))
        }
    }

    /// The symbol's own multipliers, overridden by those of the flags.
    func multipliers(_ symbol: Symbol, among names: Set<String>) throws -> Multipliers {
        try Multipliers(symbol: symbol).merging(
            Multipliers(
                learningRate: try factors("--lr-mult", lrMult, symbol, names),
                weightDecay: try factors("--wd-mult", wdMult, symbol, names)))
    }

    private func factors(_ flag: String, _ values: [String], _ symbol: Symbol, _ names: Set<String>) throws
        -> [String: Double]
    {
        var result: [String: Double] = [:]
        for value in values {
            guard let mark = value.lastIndex(of: "="), let factor = Double(value[value.index(after: mark)...]),
                factor.isFinite, factor >= 0
            else {
                throw AnnealError(
                    "\(flag) '\(value)'", "is not PATTERN=X", suggestion: "write it as 'fc=10'; X is at least 0")
            }
            for name in try symbol.parameters(matching: String(value[..<mark]), among: names, flag: flag) {
                result[name] = factor
            }
        }
        return result
    }
}
