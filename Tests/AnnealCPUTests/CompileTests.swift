import Anneal
import AnnealCompiler
import Testing

/// What the compiler's passes guarantee, on whole networks.
@Suite struct CompileTests {
    static func network(
        _ name: String, layers: Int? = nil, image: Shape, classes: Int = 10, recomputation: Recomputation = .cheap
    ) throws -> Executor {
        var options = NetworkOptions(numClasses: classes, imageShape: image.dims)
        if let layers { options.numLayers = layers }
        let symbol = try Networks.symbol(name, options)
        return try Executor(
            symbol, inputs: ["data": Shape([2] + image.dims)], mode: .training, recomputation: recomputation)
    }

    @Test func batchNormJoinsWhatFollows() throws {
        let executor = try Self.network("resnet", layers: 20, image: [3, 28, 28])
        let names = executor.program.instructions[..<executor.program.backwardStart].compactMap {
            $0.action.op?.operation
        }
        // ResNet v2 has a batch norm and a ReLU before each convolution; only the first norm, of the data, has no ReLU.
        #expect(!names.contains("Activation"))
        #expect(names.count { $0 == "fused BatchNorm" } == names.count { $0.hasSuffix("BatchNorm") })
    }

    @Test func additionJoinsBatchNormAndReLU() throws {
        let builder = SymbolBuilder()
        let data = Symbol.variable("data")
        let norm = try builder.batchNorm(builder.convolution(data, numFilter: 8, kernel: [1, 1], name: "c"), name: "n")
        let skip = try builder.convolution(data, numFilter: 8, kernel: [1, 1], name: "s")
        let sum = try builder.activation(builder.add(norm, skip), .relu)
        let executor = try Executor(sum, inputs: ["data": [2, 3, 4, 4]], mode: .training)
        let names = executor.program.instructions[..<executor.program.backwardStart].compactMap {
            $0.action.op?.operation
        }
        #expect(names.filter { $0 != "relayout" } == ["Convolution", "Convolution", "fused BatchNorm"])
    }

    /// A frozen branch next to another does not change that one's gradient.
    @Test func fusedAdditionsGiveTheSecondInputItsGradient() throws {
        let builder = SymbolBuilder()
        let data = Symbol.variable("data")
        func branch(_ name: String) throws -> Symbol {
            try builder.convolution(data, numFilter: 8, kernel: [1, 1], noBias: true, name: name)
        }
        let net = try builder.activation(builder.add(branch("a"), branch("b")), .relu)
        let gradients = try [["a_weight", "b_weight"], ["b_weight"]].map { wanted in
            let executor = try Executor(
                net, inputs: ["data": [2, 3, 4, 4]], mode: .training, gradients: Set(wanted))
            try fill(executor, seed: 1)
            try executor.forward()
            try executor.backward()
            return try executor.gradient("b_weight")
        }
        #expect(gradients[0] != nil && gradients[0] == gradients[1])
    }

    /// A value that two operators read is not fused with either.
    @Test func sharedValuesStay() throws {
        let builder = SymbolBuilder()
        let norm = try builder.batchNorm(.variable("data"), name: "n")
        let both = try Symbol.group([builder.activation(norm, .relu), norm])
        let executor = try Executor(both, inputs: ["data": [2, 3, 4, 4]], mode: .training)
        #expect(executor.program.instructions.contains { $0.action.op?.operation == "Activation" })
    }

    /// Activations change their layout only where the data comes in. Otherwise only a convolution's data gradient may
    /// convert its weights, and unblock an image with few channels: oneDNN has no other way.
    @Test func noReordersInside() throws {
        let executor = try Self.network("resnet", layers: 20, image: [3, 28, 28])
        for step in (executor.kernelPlan?.steps ?? []) where step.reorders > 0 {
            let instruction = executor.program.instructions[step.instruction]
            switch instruction.action {
            case .backward(let op, part: 1) where op is Convolution:
                let gradient = executor.program.values[try #require(instruction.writing(.gradient(0)))]
                #expect(step.reorders <= (gradient.layout.isSameMemory(as: .plain, gradient.shape) ? 2 : 1))
            case .forward(let op) where op.operation == "relayout": #expect(instruction.layer == "data")
            default: Issue.record("\(instruction.layer) changes a layout")
            }
        }
    }

    static let networks: [(String, Int?, Shape)] = [
        ("resnet", 20, [3, 28, 28]), ("mobilenetv2", nil, [3, 64, 64]), ("inception-bn", nil, [3, 28, 28]),
        ("lenet", nil, [1, 28, 28]), ("squeezenet", nil, [3, 64, 64]),
    ]

    /// Simulates a plan: a write to the memory of a live value destroys it.
    @Test(arguments: networks.indices, [Recomputation.off, RecomputationTests.smallest])
    func planNeverOverlapsLivingValues(_ index: Int, _ recomputation: Recomputation) throws {
        let (name, layers, image) = Self.networks[index]
        let executor = try Self.network(name, layers: layers, image: image, recomputation: recomputation)
        let program = executor.program, plan = try #require(executor.kernelPlan).memory
        func range(_ value: Int) -> Range<Int>? {
            plan.offsets[value].map { $0..<($0 + program.values[value].layout.elements(program.values[value].shape)) }
        }
        var living = Set(program.values.indices.filter { program.values[$0].kind == .input })
        func destroy(_ written: Range<Int>, except: Set<Int>) {
            living = living.filter { value in
                except.contains(value) || range(value).map { !$0.overlaps(written) } ?? true
            }
        }
        for (step, instruction) in program.instructions.enumerated() {
            for (role, value) in instruction.reads where plan.offsets[value] != nil {
                #expect(living.contains(value), "\(instruction.layer) reads \(role), which was overwritten")
            }
            let viewed = program.viewed(by: instruction)
            var written: [Range<Int>] = []
            for (_, value) in instruction.writes {
                guard let place = range(value) else { continue }
                #expect(place.upperBound <= plan.size)
                #expect(!written.contains { $0.overlaps(place) }, "\(instruction.layer) writes two values to one place")
                for (_, read) in instruction.reads {
                    guard let other = range(read), other.overlaps(place) else { continue }
                    #expect(
                        other.lowerBound == place.lowerBound, "\(instruction.layer) writes askew over what it reads")
                }
                written.append(place)
            }
            if let scratch = plan.scratchOffsets[step] {
                let used = (instruction.reads + instruction.writes).compactMap { range($0.value) }
                #expect(!used.contains { $0.contains(scratch) }, "\(instruction.layer) has scratch in its operands")
                destroy(scratch..<(scratch + 1), except: [])
            }
            for (_, value) in instruction.writes {
                guard let place = range(value) else { continue }
                // A view shares memory with the value that it views.
                let relatives = viewed.map { source in
                    living.filter {
                        range($0)?.lowerBound == range(source)?.lowerBound && range($0)?.count == place.count
                    }
                }
                destroy(place, except: relatives ?? [])
                living.insert(value)
            }
        }
        for value in program.kept where plan.offsets[value] != nil {
            #expect(living.contains(value), "\(program.values[value].name) does not outlive the run")
        }
    }

    @Test(arguments: networks.indices, [Recomputation.off, RecomputationTests.smallest])
    func planIsHardlyLargerThanWhatLives(_ index: Int, _ recomputation: Recomputation) throws {
        let (name, layers, image) = Self.networks[index]
        let symbol = try Networks.symbol(
            name, NetworkOptions(numClasses: 10, imageShape: image.dims, numLayers: layers))
        let executor = try Executor(
            symbol, inputs: ["data": Shape([8] + image.dims)], mode: .training, recomputation: recomputation,
            update: TrainingUpdate(SGD()), engine: defaultEngine())
        let plan = try #require(executor.kernelPlan).memory
        #expect(plan.size >= plan.lowerBound)
        #expect(Double(plan.size) <= 1.03 * Double(plan.lowerBound))
    }

    /// A second run finds the arena full of the first one's values.
    @Test(arguments: networks.indices, [Recomputation.off, RecomputationTests.smallest])
    func runsRepeat(_ index: Int, _ recomputation: Recomputation) throws {
        let (name, layers, image) = Self.networks[index]
        let executor = try Self.network(name, layers: layers, image: image, recomputation: recomputation)
        try fill(executor, seed: 5)
        func run() throws -> [[UInt32]] {
            // Moving averages change with each step.
            for name in executor.parameters.names where executor.parameters.isAuxiliary(name) {
                guard let shape = executor.parameters.shape(name) else { continue }
                try executor.parameters.set(name, Tensor(shape, repeating: 1))
            }
            try executor.forward()
            try executor.backward()
            let gradients = try executor.program.gradients.keys.sorted().compactMap { try executor.gradient($0) }
            return ([try executor.output()] + gradients).map { $0.elements.map(\.bitPattern) }
        }
        let first = try run()
        #expect(try run() == first)
    }
}
