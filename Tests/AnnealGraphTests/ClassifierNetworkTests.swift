import AnnealCore
import AnnealGraph
import Testing

/// The input, label and output of a symbol as a classifier, whatever wrote it.
@Suite struct ClassifierNetworkTests {
    private let net = SymbolBuilder()

    private func dense(_ data: String = "data0", name: String = "dense0") throws -> Symbol {
        try SymbolBuilder().fullyConnected(.variable(data), numHidden: 4, name: name)
    }

    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    @Test func modulesAndGluonsNames() throws {
        let module = try ClassifierNetwork(net.softmaxOutput(dense("data"), name: "softmax"))
        #expect(module.dataName == "data" && module.labelName == "softmax_label")
        #expect(module.scores == .probabilities && module.addedLoss == nil)
        #expect(try module.parameterNames() == ["dense0_weight", "dense0_bias"])
        #expect(try module.classes([3, 2, 2]) == 4)

        let gluon = try ClassifierNetwork(dense("input"))
        #expect(gluon.dataName == "input" && gluon.labelName == nil && gluon.scores == .logits)
        let target = try ClassifierNetwork(net.softmaxOutput(dense(), label: .variable("target"), name: "out"))
        #expect(target.dataName == "data0" && target.labelName == "target")
        #expect(try target.parameterNames() == ["dense0_weight", "dense0_bias"])
    }

    /// In a loss made of arithmetic no operator says which variable is the label; MXNet goes by the name.
    @Test func labelsOfWrittenOutLossesGoByName() throws {
        func loss(_ label: String) throws -> Symbol {
            let difference = try net.apply("broadcast_sub", name: "sub", inputs: [dense("data"), .variable(label)])
            return try net.makeLoss(net.apply("square", name: "square", inputs: [difference]), name: "loss")
        }
        #expect(try loss("my_label").labelNames() == ["my_label"])
        #expect(try loss("target").labelNames().isEmpty)
        // A weight is a weight, whatever its name.
        let weight = try net.apply(
            "FullyConnected", name: "fc", inputs: [.variable("data"), .variable("w_label")],
            attributes: ["num_hidden": "4"])
        #expect(try weight.labelNames().isEmpty)
    }

    /// A learned scale is read in the same way as data; the checkpoint's contents or Gluon's attributes distinguish it.
    @Test func scalesAreNoData() throws {
        func scaled(_ attributes: [String: String]) throws -> Symbol {
            try net.apply(
                "broadcast_mul", name: "scaled",
                inputs: [dense("x"), .variable("scale", attributes: attributes)])
        }
        #expect(try ClassifierNetwork(scaled(["__shape__": "(1, 4)"])).dataName == "x")
        #expect(try ClassifierNetwork(scaled([:]), parameters: ["scale"]).dataName == "x")
        #expect(message { _ = try ClassifierNetwork(scaled([:])) }.contains("x, scale"))
    }

    @Test func theSoftmaxCounts() throws {
        let body = try dense()
        let offsets = try net.fullyConnected(body, numHidden: 16, name: "box")
        let softmax = try net.apply("BlockGrad", name: "still", inputs: [net.softmax(body, name: "prob")])
        let network = try ClassifierNetwork(.group([offsets, softmax]))
        #expect(network.outputIndex == 1 && network.scores == .probabilities)
        #expect(try network.scoring.outputNames() == ["still_output"])
        #expect(network.ending == "prob (softmax)")
        #expect(message { _ = try ClassifierNetwork(.group([offsets, body])) }.contains("no softmax"))
        let two = message { _ = try ClassifierNetwork(.group([softmax, net.softmax(offsets, name: "second")])) }
        #expect(two.contains("2 softmax outputs") && two.contains("prob (softmax), second (softmax)"))
    }

    @Test(arguments: [
        "SVMOutput", "LinearRegressionOutput", "MAERegressionOutput", "LogisticRegressionOutput",
    ])
    func otherHeadsGiveScores(_ head: String) throws {
        let network = try ClassifierNetwork(net.apply(head, name: "head", inputs: [dense()]))
        #expect(network.scores == .scores && network.ending == "head (\(head))")
        #expect(network.labelName == "head_label")
        let learns = message { try network.checkTrainsOnClasses([3, 2, 2]) }
        #expect(learns.isEmpty == (head == "SVMOutput") && (learns.isEmpty || learns.contains(head)))
    }

    @Test func lossesAreNoScores() throws {
        let entropy = try net.apply("softmax_cross_entropy", name: "loss", inputs: [dense(), .variable("label")])
        #expect(message { _ = try ClassifierNetwork(entropy) }.contains("loss (softmax_cross_entropy)"))
        #expect(message { _ = try ClassifierNetwork(net.makeLoss(entropy, name: "make")) }.contains("make (MakeLoss)"))
        // A mean is a number that no operator's name identifies, but its shape does.
        let mean = try net.apply("mean", name: "mean", inputs: [net.apply("square", name: "square", inputs: [dense()])])
        let shape = message { _ = try ClassifierNetwork(mean).classes([3, 2, 2]) }
        #expect(shape.contains("mean_output") && shape.contains("(batch, classes)"))
        let map = try net.convolution(.variable("data"), numFilter: 4, kernel: [1, 1], name: "map")
        #expect(message { _ = try ClassifierNetwork(map).classes([3, 2, 2]) }.contains("map_output"))
    }

    @Test func trainingGetsALoss() throws {
        let logits = try dense()
        for symbol in [
            logits, try net.softmax(logits, name: "softmax"),
            try net.apply("log_softmax", name: "log", inputs: [logits]),
            try net.apply("Flatten", name: "flat", inputs: [net.softmax(logits, name: "p")]),
        ] {
            let network = try ClassifierNetwork(symbol).withLoss()
            #expect(network.scores == .probabilities && network.dataName == "data0")
            #expect(network.addedLoss?.contains("SoftmaxOutput 'softmax'") == true)
            let last = try #require(network.symbol.outputs.first?.node)
            #expect(last.operation == "SoftmaxOutput" && network.labelName == "softmax_label")
            #expect(!network.symbol.nodes.contains { $0.operation == "softmax" || $0.operation == "log_softmax" })
        }
        // A name that already exists in the network.
        let taken = try ClassifierNetwork(dense(name: "softmax")).withLoss()
        #expect(taken.labelName == "softmax_2_label")
        // A network that has its loss is not changed.
        let whole = try net.softmaxOutput(logits, name: "out")
        #expect(try ClassifierNetwork(whole).withLoss().symbol.json() == whole.json())
        let sigmoid = try ClassifierNetwork(net.activation(logits, .sigmoid, name: "s"))
        #expect(message { _ = try sigmoid.withLoss() }.contains("s (Activation)"))
    }

    @Test func endsForExport() throws {
        let logits = try dense()
        for end in ["softmax", "log_softmax", "SoftmaxActivation", "SoftmaxOutput"] {
            let symbol = try net.apply(end, name: "end", inputs: [logits])
            #expect(try symbol.endingInLogits().outputNames() == ["dense0_output"], "\(end)")
            let name = end == "log_softmax" ? "softmax_output" : "end_output"
            #expect(try symbol.endingInProbabilities().outputNames() == [name], "\(end)")
        }
        #expect(try logits.endingInProbabilities().outputNames() == ["softmax_output"])
        let svm = try net.apply("SVMOutput", name: "svm", inputs: [logits])
        #expect(message { _ = try svm.endingInProbabilities() }.contains("svm (SVMOutput)"))
    }
}
