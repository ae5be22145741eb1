import AnnealCore

/// A symbol that is a classifier: one data input, at most one label, and one output of (batch, classes).
///
/// MXNet's scripts and Gluon's exports name and end their networks differently. The roles are determined here, once:
/// the data is the variable `data` or the only candidate, labels are the variables that losses read as labels, and of
/// several outputs the softmax is used.
public struct ClassifierNetwork: Sendable {
    /// The kind of values that a classifier outputs.
    public enum Scores: Sendable, Equatable {
        /// Each row sums to 1.
        case probabilities
        /// Scores to which a softmax has not been applied, as Gluon's networks give them.
        case logits
        /// Any other numbers of which the largest decides: SVMOutput, regression, sigmoids.
        case scores
    }

    public let symbol: Symbol
    public let dataName: String
    /// nil for a network without a loss, and for one with several labels, which cannot be trained.
    public var labelName: String? { labelNames.count == 1 ? labelNames[0] : nil }
    /// The index of the scores among the symbol's outputs.
    public let outputIndex: Int
    public let scores: Scores
    /// The layer that the scores come from and its operator, e.g. `dense1 (FullyConnected)`.
    public let ending: String
    /// How the network got its loss, where `withLoss` added one.
    public private(set) var addedLoss: String?
    private let labelNames: [String]
    private let isRegression: Bool

    /// - Parameter parameters: names that are known to be parameters, as those of a checkpoint.
    /// - Throws: an error that names the inputs or outputs of a symbol that is not a classifier.
    public init(_ symbol: Symbol, parameters: Set<String> = []) throws {
        let roles = try VariableRoles(symbol)
        self.symbol = symbol
        dataName = try Symbol.dataName(roles, parameters)
        labelNames = roles.labels
        let endings = try symbol.outputs.map { try OutputEnding($0) }
        outputIndex = try Self.chosen(endings, symbol)
        let ending = endings[outputIndex]
        self.ending = ending.description
        isRegression = ending.isRegression
        scores =
            switch ending.kind {
            case .probabilities: .probabilities
            case .logits: .logits
            case .scores, .loss: .scores
            }
    }

    /// The softmax if there is one, else the only output that is not a loss.
    private static func chosen(_ endings: [OutputEnding], _ symbol: Symbol) throws -> Int {
        func outputs(_ kind: OutputEnding.Kind) -> [Int] { endings.indices.filter { endings[$0].kind == kind } }
        let softmaxes = outputs(.probabilities)
        let candidates = softmaxes.isEmpty ? endings.indices.filter { endings[$0].kind != .loss } : softmaxes
        if candidates.count == 1 { return candidates[0] }
        guard let some = candidates.first else {
            throw AnnealError(
                "symbol", "ends in \(endings.first?.description ?? "nothing"), whose output is a loss",
                suggestion: "a classifier outputs a score for each class: end it in SoftmaxOutput, or in its last layer"
            )
        }
        let list = candidates.prefix(5).map { endings[$0].description }.joined(separator: ", ")
        throw AnnealError(
            "symbol",
            softmaxes.isEmpty
                ? "has \(endings.count) outputs and no softmax among them: \(list)"
                : "has \(softmaxes.count) softmax outputs: \(list)",
            suggestion: "it is not clear which output holds the class scores: save a symbol with one output, such as "
                + "\(try Symbol.outputName(symbol.outputs[some]))")
    }

    /// The scores alone, without losses that only training uses.
    public var scoring: Symbol { symbol[outputIndex] }

    /// Parameters and auxiliary states.
    public func parameterNames() throws -> [String] { try symbol.parameterNames(fed: labelNames + [dataName]) }

    /// The number of classes.
    ///
    /// - Parameter dataShape: the shape of one image, (channels, height, width).
    /// - Throws: if the layers do not fit the shape, or the output is not (batch, classes).
    public func classes(_ dataShape: Shape) throws -> Int {
        let output = scoring
        let shape = try output.inferShapes([dataName: Shape([1] + dataShape.dims)]).outputs[0]
        guard shape.rank == 2, shape[0] == 1 else {
            throw AnnealError(
                "output \(try Symbol.outputName(output.outputs[0]))", "has the shape \(shape) for one image",
                suggestion: "a classifier's output is (batch, classes)")
        }
        return shape[1]
    }

    /// Refuses a network that is trained on anything but class numbers.
    public func checkTrainsOnClasses(_ dataShape: Shape) throws {
        guard let labelName,
            let label = try symbol.inferShapes([dataName: Shape([1] + dataShape.dims)]).variables[labelName]
        else { return }
        guard label.count == 1, !isRegression else {
            throw AnnealError(
                "symbol", "ends in \(ending), which learns \(label.count) numbers per image, not its class",
                suggestion: "end it in SoftmaxOutput, or in its last layer, and a SoftmaxOutput is added")
        }
    }

    // MARK: Other endings

    /// The network for training: unchanged if it reads a label; else its scores before the softmax, if any, followed by
    /// a `SoftmaxOutput`, as MXNet's Module requires.
    ///
    /// - Throws: if it reads several labels, or scores that no softmax fits.
    public func withLoss() throws -> ClassifierNetwork {
        guard labelNames.isEmpty else {
            guard labelName != nil else {
                throw AnnealError(
                    "symbol", "has the labels \(labelNames.joined(separator: ", "))",
                    suggestion: "a classifier is trained on one label")
            }
            return self
        }
        guard let logits = try logits() else {
            throw AnnealError(
                "symbol", "ends in \(ending), without a loss, and SoftmaxOutput does not fit it",
                suggestion: "end it in SoftmaxOutput, or in its last layer, and a SoftmaxOutput is added")
        }
        let taken = Set(Symbol([logits]).nodes.map(\.name)), name = "softmax"
        let names = [name] + (2...taken.count + 2).map { "\(name)_\($0)" }
        let free = names.first { taken.isDisjoint(with: [$0, "\($0)_label"]) } ?? name
        let loss = try SymbolBuilder().softmaxOutput(Symbol([logits]), name: free)
        var network = try ClassifierNetwork(loss, parameters: Set(parameterNames()))
        network.addedLoss = "The network ends in \(ending), without a loss: SoftmaxOutput '\(free)' is added"
        return network
    }

    /// The scores before the softmax; nil if the network's scores are of another kind.
    private func logits() throws -> Entry? {
        let output = symbol.outputs[outputIndex]
        return try OutputEnding(output).logits(of: output)
    }
}

extension Symbol {
    /// The same network with every output that is a softmax, or its logarithm, replaced by the softmax's input.
    package func endingInLogits() throws -> Symbol {
        Symbol(
            try outputs.map { output in
                let ending = try OutputEnding(output)
                return ending.kind == .loss ? output : ending.logits(of: output) ?? output
            })
    }

    /// The same network with probabilities as its only output: unchanged if it ends in a softmax, else with a softmax
    /// added.
    ///
    /// - Throws: if its scores are not logits.
    package func endingInProbabilities() throws -> Symbol {
        let network = try ClassifierNetwork(self)
        if network.scores == .probabilities { return network.scoring }
        let output = outputs[network.outputIndex]
        guard let logits = try OutputEnding(output).logits(of: output) else {
            throw AnnealError(
                "symbol", "ends in \(network.ending): a softmax does not turn its scores into probabilities",
                suggestion: "take the scores as they are, without a softmax")
        }
        let taken = Set(Symbol([logits]).nodes.map(\.name))
        let names = ["softmax"] + (2...taken.count + 2).map { "softmax_\($0)" }
        return try SymbolBuilder().softmax(Symbol([logits]), name: names.first { !taken.contains($0) })
    }
}
