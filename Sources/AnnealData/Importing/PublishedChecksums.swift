import AnnealCore

/// The published MD5 sums of data sets, by file name.
public enum PublishedChecksums {
    /// The result of comparing a file with its published checksum.
    public enum Verdict: Sendable, Equatable {
        case matches
        /// The file's actual sum.
        case differs(String)
        /// No sum is known for a file of this name.
        case unknown
    }

    /// - Parameter set: the data set's name: several data sets use the same file names.
    /// - Throws: `AnnealError` when the file cannot be read.
    public static func check(_ path: String, of set: String) throws -> Verdict {
        guard let expected = sums[set]?[Files.name(of: path)] else { return .unknown }
        let found = try MD5.digits(ofFile: path)
        return found == expected ? .matches : .differs(found)
    }

    private static let sums = [
        "cifar10": [
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
            "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        ],
        "cifar100": [
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
        ],
        "mnist": [
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        ],
        "fashion-mnist": [
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        ],
    ]
}
