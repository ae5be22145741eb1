import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealXLA
import Testing

/// The text of programs: no plugin is needed.
@Suite struct ProgramTextTests {
    /// The text of a whole training step.
    private func step(
        _ precision: ElementType = .float32, canDropSteps: Bool = false, accumulation: Int = 1,
        phases: Phases = [.forward, .backward, .update], pixels: PixelScaling? = nil, repeats: Bool = false,
        usesTF32: Bool = false
    ) throws -> PartWriter.Text {
        let net = SymbolBuilder()
        var body = try net.convolution(
            .variable("data"), numFilter: 4, kernel: [3, 3], pad: [1, 1], numGroup: 2, name: "a")
        body = try net.activation(net.batchNorm(body, name: "n"), .relu)
        let symbol = try net.softmaxOutput(
            net.fullyConnected(net.flatten(body), numHidden: 3, name: "fc"), name: "softmax")
        var program = try Lowering.lower(
            symbol, inputs: ["data": [2, 4, 5, 5], "softmax_label": [2]], mode: .training)
        let wanted = Set(try symbol.argumentNames()).subtracting(["data", "softmax_label"])
        program = try Autodiff.differentiate(program, wanted: wanted, engine: nil)
        var update = TrainingUpdate(Momentum())
        update.order = try symbol.argumentNames() + symbol.auxiliaryNames()
        update.isGuarded = canDropSteps
        update.accumulation = accumulation
        program = try Precision.assign(
            precision, to: UpdatePass.choose(update, in: program, updatesEarly: false))
        if repeats {
            let graph = ForwardGraph(program) { $0 is BatchNorm }
            // From the forward pass, only statistics and the output.
            var kept = program.values.indices.map {
                program.values[$0].kind != .temporary || program.outputs.contains($0)
            }
            for instruction in program.instructions where instruction.action.op is BatchNorm {
                for (role, value) in instruction.writes { if case .saved = role { kept[value] = true } }
            }
            program = Recomputed(program, graph: graph, kept: kept).program
        }
        program = try UpdatePass.insert(update, into: program)
        let data = try #require(program.variables["data"])
        let writer = PartWriter(
            program,
            PartKey(phases, StepInputs.Merge(), pixels: pixels.map { [data: $0] } ?? [:]), precision: precision,
            usesTF32: usesTF32, reproducesMXNetDefects: false)
        return try writer.write(carried: [])
    }

    private func lines(_ text: PartWriter.Text, _ operation: String) -> [Substring] {
        text.module.split(separator: "\n").filter { $0.contains(operation) }
    }

    @Test func weightsAreNeverTransposedButForTheGroupedGradient() throws {
        let text = try step()
        // Among the arguments, only the images are in the host's order.
        for line in lines(text, "stablehlo.transpose %arg") {
            let name = line.split(separator: "transpose ")[1].prefix { $0 != "," }
            let number = try #require(Int(name.dropFirst(4)))
            guard case .input = text.arguments[number] else {
                Issue.record("\(line)")
                continue
            }
        }
        #expect(lines(text, "stablehlo.convolution").count == 2)
    }

    @Test func parametersAndStatesAreDonated() throws {
        let text = try step()
        let stored = text.arguments.filter { if case .stored = $0 { true } else { false } }
        // Weight, bias, gamma and beta of each, except fixed gammas' states; moving statistics.
        #expect(text.module.components(separatedBy: "tf.aliasing_output").count - 1 == stored.count)
        #expect(stored.count == 6 * 2 + 2)
    }

    @Test func ratesAreInputs() throws {
        let text = try step()
        #expect(text.arguments.contains(.numbers))
        #expect(!text.module.contains("0.0625"))
    }

    @Test func droppedStepsKeepWhatWasThere() throws {
        let text = try step(canDropSteps: true, phases: [.forward, .backward, .check, .update])
        #expect(!lines(text, "stablehlo.is_finite").isEmpty)
        let flags = text.results.filter { if case .plain = $0 { true } else { false } }
        #expect(flags.count == 3)  // the output, the check and the update's own
    }

    @Test func productsAreInTheWantedPrecision() throws {
        #expect(lines(try step(), "bf16").isEmpty)
        let text = try step(.bfloat16)
        for line in lines(text, "stablehlo.convolution\"(") {
            #expect(line.contains("bf16") && !line.contains("xf32>"))
        }
        for line in lines(text, "stablehlo.dot_general") { #expect(line.contains("bf16") && !line.contains("xf32>")) }
        // Values that outlive the step stay float32.
        for line in lines(text, "func.func") { #expect(!line.contains("bf16")) }
    }

    @Test func pixelsComeInEightBits() throws {
        let text = try step(pixels: PixelScaling(mean: [1, 2, 3, 4], factor: [0.5, 0.5, 0.5, 0.25]))
        #expect(text.arguments.contains { if case .pixels = $0 { true } else { false } })
        let head = try #require(lines(text, "func.func").first)
        #expect(head.contains("tensor<2x4x5x5xui8>") && !head.contains("tensor<2x4x5x5xf32>"))
        // Constants of all steps are part of the program.
        #expect(!lines(text, "dense<[1.0, 2.0, 3.0, 4.0]>").isEmpty)
    }

    @Test func gradientsInFloat16AreScaledAndBack() throws {
        let scaled = try step(.float16), plain = try step(.bfloat16)
        #expect(scaled.arguments.contains(.scalars) && !plain.arguments.contains(.scalars))
        // One where the loss's gradient begins, and one for each trained parameter: the scalars are sliced once each
        // time.
        let cuts = lines(scaled, "stablehlo.slice").filter { $0.contains("tensor<4xf32>") }
        #expect(cuts.count == 1 + 6)
    }

    @Test func whatIsComputedAgainIsBehindABarrierWithTheGradient() throws {
        let text = try step(repeats: true)
        let barriers = lines(text, "stablehlo.optimization_barrier")
        #expect(!barriers.isEmpty && barriers.allSatisfy { $0.contains(":2 = ") })
        // The convolution twice and its weight's gradient; batch norm's sums are not recomputed.
        #expect(lines(text, "stablehlo.convolution").count == 3)
        let plain = try step()
        #expect(lines(text, "stablehlo.reduce").count == lines(plain, "stablehlo.reduce").count)
    }

    @Test func float32IsExactUnlessTF32IsAllowed() throws {
        let products = { (text: PartWriter.Text) in
            self.lines(text, "stablehlo.convolution\"(") + self.lines(text, "stablehlo.dot_general")
        }
        let exact = products(try step()), rounded = products(try step(usesTF32: true))
        #expect(exact.count == 5 && exact.allSatisfy { $0.contains("HIGHEST") && !$0.contains("DEFAULT") })
        #expect(rounded.count == 5 && rounded.allSatisfy { !$0.contains("HIGHEST") && $0.contains("DEFAULT") })
    }

    @Test func operationsAreDeterministicUnlessThatIsGivenUp() {
        func flags(_ isDeterministic: Bool) -> [String] {
            AcceleratorOptions(isDeterministic: isDeterministic).compileOptions(platform: "cuda").flags.map(\.name)
        }
        #expect(flags(true) == ["xla_gpu_exclude_nondeterministic_ops"])
        #expect(flags(false).isEmpty)
    }

    @Test func optionsAreEncodedAsProtocolBuffers() {
        #expect(CompileOptions().encoded == [0x1A, 0x04, 0x20, 0x01, 0x28, 0x01, 0x20, 0x01])
        let flag = CompileOptions(flags: [("ab", true)]).encoded
        #expect(Array(flag.dropFirst(8)) == [0x3A, 0x08, 0x0A, 0x02, 0x61, 0x62, 0x12, 0x02, 0x10, 0x01])
    }

    /// Two replicas, one partition, the devices 4 and 5; not portable.
    @Test func replicasAreNamed() {
        var options = CompileOptions()
        options.replicas = [4, 5]
        #expect(
            options.encoded == [
                0x1A, 0x10, 0x20, 0x02, 0x28, 0x01, 0x4A, 0x0A, 0x08, 0x02, 0x10, 0x01, 0x1A, 0x04, 0x0A, 0x02, 4, 5,
            ])
    }

    @Test func channelsGoLast() {
        #expect(Order.axes(4) == [0, 2, 3, 1])
        #expect((0..<5).map { Order.place(of: $0, rank: 5) } == [0, 4, 1, 2, 3])
        let plain = (0..<24).map(Float.init), shape: Shape = [2, 3, 2, 2]
        let last = HostOrder.channelsLast(plain, shape)
        #expect(Array(last.prefix(6)) == [0, 4, 8, 1, 5, 9])
        #expect(HostOrder.plain(last, shape) == plain)
    }
}

/// v = 0.9 v - l r g; w += v
private struct Momentum: UpdateRule {
    let stateCount = 1
    let sums = RuleSums.none
    let drawsNoise = false
    let choices = (false, false)
    func stateStart(_ index: Int) -> StateStart { .zeros }
    func terms<N: RuleNumber>(_ element: RuleElement<N>, _ k: RuleNumbers<N>) -> (N, N) { (N(0), N(0)) }
    func adapt<N: RuleNumber>(_ k: inout RuleNumbers<N>, to sums: (N, N)) {}
    func update<N: RuleNumber>(_ element: inout RuleElement<N>, _ k: RuleNumbers<N>) {
        element.states[0] = N(0.9) * element.states[0] - k.rate * k.scaled(element.gradient)
        element.weight = element.weight + element.states[0]
    }
    func update(_ slice: RuleSlice) {}
    func staysFinite(_ slice: RuleSlice) -> Bool { true }
    func sums(over slice: RuleSlice) -> (Double, Double) { (0, 0) }
}
