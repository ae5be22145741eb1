import AnnealCore
import AnnealTrain
import Foundation

/// The answers for each image as a CSV file: `image,label,class,predicted,predicted_class,probability,
/// label_probability`, one row per image in the order of the data. Without a prediction (all scores are NaN) its two
/// fields are empty.
public struct AnswerTable: Sendable {
    public let answers: [Answer]
    /// By label.
    public let classNames: [String]

    public init(_ answers: [Answer], classNames: [String]) {
        self.answers = answers
        self.classNames = classNames
    }

    /// - Parameter image: the first column for an image's index: its path, or its record's id.
    public func write(to path: String, image: (Int) throws -> String) throws {
        try Files.writeAtomically(to: path) { write in
            let header = [
                "image", "label", "class", "predicted", "predicted_class", "probability", "label_probability",
            ]
            var text = CSV.line(header) + "\n"
            for answer in answers {
                text += try line(answer, image: image(answer.number)) + "\n"
                if text.utf8.count > 1 << 16 {
                    try write(Data(text.utf8))
                    text = ""
                }
            }
            try write(Data(text.utf8))
        }
    }

    private func line(_ answer: Answer, image: String) -> String {
        func number(_ value: Float) -> String { value.isNaN ? "nan" : "\(value)" }
        return CSV.line([
            CSV.text(image), "\(answer.label)", CSV.text(classNames[answer.label]),
            answer.predicted.map(String.init) ?? "", answer.predicted.map { CSV.text(classNames[$0]) } ?? "",
            number(answer.probability), number(answer.labelProbability),
        ])
    }
}
