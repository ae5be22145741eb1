int anneal_dnn_stub;
