#include <Eigen/SVD>

template class Eigen::BDCSVD<Eigen::MatrixXd>;
