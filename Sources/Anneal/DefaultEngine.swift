import AnnealCPU
import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealTrain

// What a program names is a device; without one it gets this machine's processor.

extension Executor {
    /// - Parameters:
    ///   - inputs: shapes of data and labels by name; labels may be left out.
    ///   - gradients: the variables whose gradients are wanted in training; all parameters if nil.
    ///   - parameters: the store of an earlier executor of the same network; a new one if nil.
    ///   - recomputation: what the backward pass may compute a second time to save memory. All choices give the same bits.
    ///   - keepsParameters: false lets inference give back the memory of weights that it has folded batch norm into. They
    ///     cannot be read then, nor used by another executor, until they are set again.
    ///   - device: where it runs: that of the store if one is given, else this machine's processor if nil.
    public convenience init(
        _ symbol: Symbol, inputs: [String: Shape], mode: Mode, gradients: Set<String>? = nil,
        parameters: ParameterStore? = nil, recomputation: Recomputation = .cheap, keepsParameters: Bool = true,
        device: Device? = nil
    ) throws {
        try self.init(
            symbol, inputs: inputs, mode: mode, gradients: gradients, parameters: parameters,
            recomputation: recomputation, keepsParameters: keepsParameters, engine: engine(of: parameters, device))
    }
}

extension Trainer {
    /// - Parameters:
    ///   - symbol: a classifier. One that reads no label gets a `SoftmaxOutput` (`ClassifierNetwork.withLoss`).
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - frozen: parameters that get no gradient, no update and no weight decay. Batch norms whose gamma and beta are
    ///     both frozen, or one of whose moving statistics is, normalise by these statistics and leave them alone. Nothing
    ///     is computed for gradients that lead to frozen parameters only. A gamma under `fix_gamma` is set to 1 all the
    ///     same, as in MXNet.
    ///   - softLabels: training's labels are rows of probabilities, as a `SoftLabelSource` makes them, and the loss is
    ///     -sum(label * log p), whatever they sum to. Scoring takes class numbers as ever; `symbol` stays as it is.
    ///   - recomputation: what the backward pass may compute a second time to save memory. All choices give the same bits.
    ///   - averaging: weights that follow the trained ones, from their values before the first step on; if nil those of the
    ///     optimizer's chain (`RuleChain`).
    ///   - accumulation: batches whose gradients are averaged into one update.
    ///   - keepsGradients: whether `gradient` has every parameter's. Without it large parameters are updated within the
    ///     backward pass, so that their gradients need no memory of their own.
    ///   - canDropSteps: whether `FitOptions.onNonFinite` may be `.skip`. Every update waits until the step is known to be
    ///     finite then, and gradients need memory of their own.
    ///   - precision: of what flows between layers; weights, statistics and losses are float32 always. The processor has
    ///     float32 only.
    ///   - device: where it runs; this machine's processor if nil.
    /// - Throws: `AnnealError`, with the code `outOfMemory` where the machine or a limit has less memory than is needed.
    public convenience init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, optimizer: Optimizer, frozen: Set<String> = [],
        seed: UInt64 = 0, softLabels: Bool = false, recomputation: Recomputation = .cheap,
        averaging: WeightAveraging? = nil, accumulation: Int = 1, keepsGradients: Bool = false,
        canDropSteps: Bool = false, precision: ElementType = .float32, device: Device? = nil
    ) throws {
        try self.init(
            symbol, dataShape: dataShape, batchSize: batchSize, optimizer: optimizer, frozen: frozen, seed: seed,
            softLabels: softLabels, recomputation: recomputation, averaging: averaging, accumulation: accumulation,
            keepsGradients: keepsGradients, canDropSteps: canDropSteps, precision: precision,
            engine: engine(of: nil, device))
    }
}

extension OptimizedParameters {
    /// - Parameters:
    ///   - optimizer: its rule and settings are taken; it stays as it is.
    ///   - values: the parameters in the order in which they are updated.
    ///   - device: where it runs; this machine's processor if nil.
    /// - Throws: if the rule cannot update one of them.
    public convenience init(
        _ optimizer: Optimizer, _ values: [(name: String, value: Tensor)], device: Device? = nil
    ) throws {
        try self.init(optimizer, values, engine: engine(of: nil, device))
    }
}

extension Scorer {
    /// - Parameters:
    ///   - dataShape: a row of data, e.g. (channels, height, width).
    ///   - parameters: the store of a trainer of the same network; a new one if nil, to be set before the first pass and
    ///     not to be read after it (`keepsParameters` of `Executor`).
    ///   - views: more than one require a network whose output is a softmax.
    ///   - device: where it runs: that of the store if one is given, else this machine's processor if nil.
    /// - Throws: if the network's output is not (batch, classes).
    public convenience init(
        _ network: ClassifierNetwork, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none, device: Device? = nil
    ) throws {
        try self.init(
            network, dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views,
            engine: engine(of: parameters, device))
    }

    /// As above, with a symbol that is a classifier.
    public convenience init(
        _ symbol: Symbol, dataShape: Shape, batchSize: Int, parameters: ParameterStore? = nil,
        views: TestTimeViews = .none
    ) throws {
        try self.init(
            ClassifierNetwork(symbol), dataShape: dataShape, batchSize: batchSize, parameters: parameters, views: views)
    }
}

/// This machine's processor.
package func defaultEngine() throws -> any Engine { try CPUEngine() }

private func engine(of store: ParameterStore?, _ device: Device?) throws -> any Engine {
    guard let store else { return try device?.engine ?? defaultEngine() }
    guard let device, device.engine !== store.engine else { return store.engine }
    throw AnnealError(
        "device \(device.name)", "is another than that of the parameters", suggestion: "leave it out", code: .mismatch)
}
