/// The name of a state: an array that training stores in addition to the network's own. It identifies the array in a
/// program, in the store and in the file of a run's state, where `arg:` and `aux:` are the network's own.
package enum StateName: Hashable, Sendable {
    /// An optimizer's state of a parameter, by its number: `optimizer:fc1_weight:0`.
    case optimizer(parameter: String, index: Int)
    /// An average of a parameter or a statistic: `ema:fc1_weight`, `lookahead:fc1_weight`.
    case average(TrainingUpdate.Averaging, of: String)
    /// A sum of the gradients of 2^level batches: `gradients:1:fc1_weight`.
    case gradientSum(level: Int, parameter: String)
    /// The part of a shard's gradient that compression has not sent yet: `residual:3:fc1_weight`.
    case residual(shard: Int, parameter: String)

    /// The prefix of a name.
    package enum Kind: String, Sendable {
        case optimizer, lookahead, gradients, residual
        case movingAverage = "ema"

        package init(_ averaging: TrainingUpdate.Averaging) {
            self = averaging == .lookAhead ? .lookahead : .movingAverage
        }
    }

    package var kind: Kind {
        switch self {
        case .optimizer: .optimizer
        case .average(let averaging, _): Kind(averaging)
        case .gradientSum: .gradients
        case .residual: .residual
        }
    }

    package var text: String {
        switch self {
        case .optimizer(let parameter, let index): "\(kind.rawValue):\(parameter):\(index)"
        case .average(_, let name): "\(kind.rawValue):\(name)"
        case .gradientSum(let number, let parameter), .residual(let number, let parameter):
            "\(kind.rawValue):\(number):\(parameter)"
        }
    }

    /// nil if the text is not a state's name. Parameters' names may contain colons themselves.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":"), let kind = Kind(rawValue: String(text[..<colon])) else {
            return nil
        }
        let rest = text[text.index(after: colon)...]
        switch kind {
        case .movingAverage: self = .average(.movingAverage, of: String(rest))
        case .lookahead: self = .average(.lookAhead, of: String(rest))
        case .optimizer:
            guard let colon = rest.lastIndex(of: ":"), let index = Int(rest[rest.index(after: colon)...]) else {
                return nil
            }
            self = .optimizer(parameter: String(rest[..<colon]), index: index)
        case .gradients, .residual:
            guard let colon = rest.firstIndex(of: ":"), let number = Int(rest[..<colon]) else { return nil }
            let parameter = String(rest[rest.index(after: colon)...])
            self =
                kind == .residual
                ? .residual(shard: number, parameter: parameter)
                : .gradientSum(level: number, parameter: parameter)
        }
    }
}
