import Anneal

/// A network that is ready to run steps on random data.
struct Workload {
    enum Source {
        /// A network by its name, to be given first values.
        case new(String, Symbol)
        case trained(Checkpoint, place: String)
    }
    private enum Plan {
        case training(Trainer)
        case inference(Executor, ClassifierNetwork)
    }

    /// What a training step does besides a plain update.
    struct StepSettings: Equatable {
        var clipNorm: Double?
        var canDropSteps = false
        var accumulation = 1
        var averaging: WeightAveraging?
    }

    private let plan: Plan
    private let device: Device
    let parameters: ParameterStore
    /// An accelerator's peak bytes in use; nil if unknown.
    var peakDeviceBytes: Int? { device.peakMemory }
    var plannedBytes: Int {
        switch plan {
        case .training(let trainer): trainer.plannedBytes
        case .inference(let executor, _): executor.plannedBytes
        }
    }
    let relayouts: Int
    /// Fills the inputs before each step; nil if they already exist.
    private var images: RandomImages?

    /// Whether operations run one by one, so that each can be timed.
    var timesOperations: Bool { images == nil }

    /// - Parameter shape: channels, height and width of an image.
    init(
        _ source: Source, shape: [Int], batchSize: Int, inference: Bool, recomputation: Recomputation,
        precision: ElementType = .float32, step: StepSettings = StepSettings(), device: Device
    ) throws {
        self.device = device
        let symbol =
            switch source {
            case .new(_, let symbol): symbol
            case .trained(let checkpoint, _): checkpoint.symbol
            }
        let network = try ClassifierNetwork(symbol), classes = try network.classes(Shape(shape))
        let data: UnsafeMutableBufferPointer<Float>?, labels: UnsafeMutableBufferPointer<Float>?
        if inference {
            let executor = try Executor(
                network.scoring, inputs: [network.dataName: Shape([batchSize] + shape)], mode: .inference,
                precision: precision, engine: device.engine)
            plan = .inference(executor, network)
            if !executor.isImmediate { images = RandomImages(shape, batchSize: batchSize, classes: classes) }
            (parameters, relayouts) = (executor.parameters, executor.relayouts)
            data = executor.input(network.dataName)
            labels = network.labelName.flatMap(executor.input)
        } else {
            let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4])
            optimizer.settings.clipNorm = step.clipNorm
            let trainer = try Trainer(
                symbol, dataShape: Shape(shape), batchSize: batchSize, optimizer: optimizer,
                recomputation: recomputation, averaging: step.averaging, accumulation: step.accumulation,
                canDropSteps: step.canDropSteps, precision: precision, device: device)
            plan = .training(trainer)
            // Processors read inputs from their own memory, even if results of a job come late.
            if !trainer.training.isImmediate, !(device.engine is ShardedEngine) {
                images = RandomImages(shape, batchSize: batchSize, classes: classes)
            }
            (parameters, relayouts) = (trainer.parameters, trainer.relayouts)
            let slot = try trainer.slot()
            (data, labels) = (slot.data, slot.labels)
        }
        switch source {
        case .new(let network, let symbol):
            try parameters.initialize(try Initializers.fit(network: network), symbol: symbol, seed: 0)
        case .trained(let checkpoint, let place): try checkpoint.restore(parameters, place: place)
        }
        var random = Random(seed: 1, purpose: .test)
        if let data { for i in data.indices { data[i] = random.uniform(-1, 1) } }
        if let labels { for i in labels.indices { labels[i] = Float(random.below(classes)) } }
        HeapTrimmer.trim()
    }

    /// For each operation, in order: the bytes of gradients that are complete when it ends.
    var gradientBytes: [(layer: String, kind: String, bytes: Int)] {
        guard case .training(let trainer) = plan else { return [] }
        let operations = trainer.training.operations
        return trainer.training.gradientBytes.sorted { $0.key < $1.key }.map { index, bytes in
            (operations[index].layer, operations[index].kind, bytes)
        }
    }

    func step() throws {
        switch plan {
        case .training(let trainer):
            if let images { _ = images.next(into: try trainer.slot(for: images)) }
            try trainer.step()
        case .inference(let executor, let network):
            if let images, let pixels = executor.pixels(network.dataName, images.scaling) { images.fill(pixels) }
            try executor.forward()
        }
    }

    /// Waits until submitted work is done.
    func finish() throws {
        switch plan {
        case .training(let trainer): _ = try trainer.parameters.names.last.map(trainer.parameters.tensor)
        case .inference(let executor, _): _ = try executor.output()
        }
    }

    /// Runs steps whose operations are recorded by a timeline for as many steps.
    func record(steps: Int) throws -> Timeline {
        let timeline = Timeline(steps: 0..<steps)
        try record(in: timeline, steps: steps)
        return timeline
    }

    /// - Parameter timeline: for as many steps.
    func record(in timeline: Timeline, steps: Int) throws {
        switch plan {
        case .training(let trainer):
            trainer.timeline = timeline
            for _ in 0..<steps { try trainer.step() }
            trainer.timeline = nil
        case .inference(let executor, _):
            executor.around = timeline.around(executor.operations)
            for _ in 0..<steps {
                try executor.forward()
                timeline.endStep()
            }
            executor.around = nil
        }
    }

    /// Writes the network and its values as the checkpoint of epoch 0, for images with values from 0 to 1; only for
    /// training.
    func save(prefix: String) throws {
        guard case .training(let trainer) = plan else {
            throw UsageError(
                "--write-model", "cannot be combined with --inference", suggestion: "leave out --inference")
        }
        try trainer.save(prefix: prefix, epoch: 0)
        let shape = trainer.dataShape.dims, channels = shape[0]
        try Preprocessing(
            imageShape: shape, mean: Array(repeating: 0, count: channels), std: Array(repeating: 255, count: channels)
        ).save(prefix: prefix)
    }
}
